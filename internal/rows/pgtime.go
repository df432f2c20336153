package rows

import "math"

// civil is a day or a moment as PostgreSQL writes it.
type civil struct {
	// day counts from 1970-01-01, in the calendar that is reckoned backwards and forwards
	// from today's; micros is the time of that day.
	day, micros int64
	// infinite is -1 and 1 for PostgreSQL's infinities, which have nothing else.
	infinite int
}

const microsPerDay = 24 * 60 * 60 * 1_000_000

// parseDate reads a date: 2006-01-02, 0044-03-15 BC, infinity.
func parseDate(v []byte) (civil, bool) {
	v, bc := cutSuffix(v, " BC")
	c, rest, ok := date(v, bc)
	return c, ok && len(rest) == 0
}

// parseTime reads a time of a day, up to 24:00:00.
func parseTime(v []byte) (micros int64, ok bool) {
	micros, rest, ok := clock(v)
	return micros, ok && len(rest) == 0
}

// parseTimestamp reads a timestamp, or a timestamptz, which is in UTC.
func parseTimestamp(v []byte, zone bool) (civil, bool) {
	v, bc := cutSuffix(v, " BC")
	c, rest, ok := date(v, bc)
	if !ok || c.infinite != 0 {
		return c, ok
	}
	if len(rest) == 0 || rest[0] != ' ' {
		return c, false
	}
	c.micros, rest, ok = clock(rest[1:])
	if zone {
		return c, ok && string(rest) == "+00"
	}
	return c, ok && len(rest) == 0
}

// unixMicros counts microseconds since 1970, if an int64 can: PostgreSQL counts from 2000,
// so that its last 29 years are out of reach. Infinity is the extreme, as PostgreSQL itself
// stores it.
func (c civil) unixMicros() (int64, bool) {
	switch {
	case c.infinite > 0:
		return math.MaxInt64, true
	case c.infinite < 0:
		return math.MinInt64, true
	}
	const last = math.MaxInt64/microsPerDay - 1
	return c.day*microsPerDay + c.micros, -last <= c.day && c.day <= last
}

func cutSuffix(v []byte, suffix string) ([]byte, bool) {
	if n := len(v) - len(suffix); n >= 0 && string(v[n:]) == suffix {
		return v[:n], true
	}
	return v, false
}

// date reads a year of four and more digits, a month and a day, and returns what follows.
func date(v []byte, bc bool) (c civil, rest []byte, ok bool) {
	switch string(v) {
	case "infinity":
		return civil{infinite: 1}, nil, !bc
	case "-infinity":
		return civil{infinite: -1}, nil, !bc
	}
	n := digits(v)
	if n < 4 || n > 7 || len(v) < n+len("-01-02") || v[n] != '-' || v[n+3] != '-' {
		return c, nil, false
	}
	year := number(v[:n])
	month, okMonth := two(v[n+1:], 12)
	day, okDay := two(v[n+4:], 31)
	if bc {
		year = 1 - year // the year before the first is 1 BC
	}
	c.day = dayOf(year, month, day)
	// A day that its month does not have is one of the next month.
	ok = okMonth && okDay && month > 0 && day > 0 && (day <= 28 || dayOf(year, month, 1)+day <= dayOf(year, month+1, 1))
	return c, v[n+len("-01-02"):], ok
}

// clock reads 15:04:05 with up to six more digits behind a point, and returns what follows.
func clock(v []byte) (micros int64, rest []byte, ok bool) {
	if len(v) < len("15:04:05") || v[2] != ':' || v[5] != ':' {
		return 0, nil, false
	}
	hour, okHour := two(v, 24)
	minute, okMinute := two(v[3:], 59)
	second, okSecond := two(v[6:], 59)
	micros = ((hour*60+minute)*60 + second) * 1_000_000
	v = v[len("15:04:05"):]
	if len(v) > 0 && v[0] == '.' {
		n := digits(v[1:])
		if n == 0 || n > 6 {
			return 0, nil, false
		}
		fraction := number(v[1 : 1+n])
		for range 6 - n {
			fraction *= 10
		}
		micros += fraction
		v = v[1+n:]
	}
	return micros, v, okHour && okMinute && okSecond && micros <= microsPerDay
}

// number is that of a few digits.
func number(v []byte) (n int64) {
	for _, b := range v {
		n = 10*n + int64(b-'0')
	}
	return n
}

// two reads two digits.
func two(v []byte, most int64) (int64, bool) {
	if v[0]-'0' > 9 || v[1]-'0' > 9 {
		return 0, false
	}
	n := number(v[:2])
	return n, n <= most
}

// dayOf counts the days from 1970-01-01. Years are taken to begin in March, so that the
// leap day is the last one; 400 of them are one cycle. Month 13 is the next January.
func dayOf(year, month, day int64) int64 {
	if month > 12 {
		year, month = year+1, month-12
	}
	if month -= 3; month < 0 {
		year, month = year-1, month+12
	}
	const cycle = 146097
	cycles := year / 400
	if year < 0 {
		cycles = (year - 399) / 400
	}
	inCycle := year - 400*cycles
	inYear := (153*month+2)/5 + day - 1
	const marchOfYear0 = 719468 // days before 1970
	return cycles*cycle + inCycle*365 + inCycle/4 - inCycle/100 + inYear - marchOfYear0
}
