package rows

import (
	"bytes"
	"strconv"
	"testing"
	"time"
)

// What is read of a time is what PostgreSQL says of it, over all years that it knows.
func TestTimesAsPostgreSQL(t *testing.T) {
	p := open(t)
	var out bytes.Buffer
	source := kept{Sink: NewExport(t.Context(), &out, 0)}
	sql := `SELECT d, d - '1970-01-01'::date, ts, ts AT TIME ZONE 'UTC', ((extract(epoch FROM ts)) * 1000000)::numeric(40,0), ts::time, (extract(epoch FROM ts::time) * 1000000)::int8 FROM (
		SELECT '4713-01-01 BC'::date + n * 7919 + n % 31 AS d,
			'4713-01-01 BC'::timestamp + make_interval(days => n * 704, secs => n * 1.000007) AS ts
		FROM generate_series(0, 155000) n
		UNION ALL VALUES ('4713-01-01 BC'::date, '4713-01-01 BC'::timestamp), ('5874897-12-31', '294246-12-31 23:59:59.999999'), ('0001-01-01', '0001-01-01'), ('0001-12-31 BC', '0001-12-31 23:59:59.999999 BC'),
			('2000-02-29', '2000-02-29 00:00:00.1'), ('1900-02-28', '1900-02-28'), ('0401-02-28 BC', '0401-02-28 BC'), ('0005-02-29 BC', '0005-02-29 12:00 BC')) q
		WHERE ts < '294247-01-01'`
	if _, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: sql}}, &source); err != nil {
		t.Fatal(err)
	}
	source.Sink.(*Export).Cancel()
	number := func(v []byte) int64 {
		n, err := strconv.ParseInt(string(v), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, row := range source.rows {
		if c, ok := parseDate(row[0]); !ok || c.day != number(row[1]) {
			t.Fatalf("%s is day %d, %v, want %s", row[0], c.day, ok, row[1])
		}
		for i, zone := range []bool{false, true} {
			c, ok := parseTimestamp(row[2+i], zone)
			micros, fits := c.unixMicros()
			if !ok || !fits || micros != number(row[4]) {
				t.Fatalf("%s is %d, %v, %v, want %s", row[2+i], micros, ok, fits, row[4])
			}
		}
		if micros, ok := parseTime(row[5]); !ok || micros != number(row[6]) {
			t.Fatalf("%s is %d, %v, want %s", row[5], micros, ok, row[6])
		}
	}
	if len(source.rows) < 100_000 {
		t.Errorf("only %d", len(source.rows))
	}
}

// What is no time is not taken for one.
func TestTimesRefused(t *testing.T) {
	for _, text := range []string{"", "infinite", "2026", "2026-1-2", "2026-13-01", "2026-00-01", "2026-01-00", "2026-01-32", "2026-02-29", "2100-02-29", "2026-04-31", "2026-01-02 ", "2026/01/02", "-2026-01-02", "12345678-01-01", "infinity BC", "2026-01-0x"} {
		if c, ok := parseDate([]byte(text)); ok {
			t.Errorf("date %q: %+v", text, c)
		}
	}
	for _, text := range []string{"", "24:00:01", "25:00:00", "12:60:00", "12:00:60", "12:00", "12:00:00.", "12:00:00.1234567", "12:00:00x", "1 :00:00"} {
		if n, ok := parseTime([]byte(text)); ok {
			t.Errorf("time %q: %d", text, n)
		}
	}
	for _, text := range []string{"2026-01-02", "2026-01-02 ", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-01-02 03:04:05 AD"} {
		for _, zone := range []bool{false, true} {
			if c, ok := parseTimestamp([]byte(text), zone); ok {
				t.Errorf("timestamp %q: %+v", text, c)
			}
		}
	}
	// Every day from 1600 to 2400 is there, and no other.
	for day := time.Date(1600, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2400; day = day.AddDate(0, 0, 1) {
		c, ok := parseDate([]byte(day.Format("2006-01-02")))
		if !ok || c.day != day.Unix()/86400 && day.Unix() >= 0 {
			t.Fatalf("%s: %+v, %v", day, c, ok)
		}
		if next := day.AddDate(0, 0, 1); next.Day() == 1 && day.Day() < 31 {
			if _, ok := parseDate([]byte(day.Format("2006-01-") + strconv.Itoa(day.Day()+1))); ok {
				t.Fatalf("a day after %s", day)
			}
		}
	}
}
