package endpoint

import (
	"strings"
	"testing"
)

func TestCanonicalValues(t *testing.T) {
	const refused = "refused"
	of := func(oid uint32) columnType { return typeOf(oid) }
	for _, c := range []struct {
		typ  columnType
		want string
		raws []string
	}{
		{of(23), "7", []string{"7", "007", "+7", " 7"}},
		{of(23), "0", []string{"0", "-0", "+0", "000"}},
		{of(21), "-32768", []string{"-32768", "-032768"}},
		{of(21), refused, []string{"32768", "-32769", "", "1.0", "1e2", "0x1", "1_0", "--1", "+-1", "٣", "1 "}},
		{of(20), "9223372036854775807", []string{"9223372036854775807"}},
		{of(20), refused, []string{"9223372036854775808", strings.Repeat("9", 5000)}},
		{of(1700), "1.5", []string{"1.5", "1.50", "01.5", "+1.5", "15e-1", "0.15E1", "0.15e+1", "0.15e 1", "150e-02"}},
		{of(1700), "0", []string{"0", "-0", "0.000", ".0", "0.", "0e99999"}},
		{of(1700), "-0.001", []string{"-0.001", "-.001", "-1e-3"}},
		{of(1700), "1200", []string{"1200", "1.2e3", "1200."}},
		{of(1700), "123.456", []string{"123.456", "123456e-3"}},
		{of(1700), refused, []string{"", ".", "-", "e5", "1e", "1e5.5", "1e100000", "1e1000", "1e-1001", "NaN", "Infinity", "1,5", "1 5", strings.Repeat("9", 1001)}},
		{of(701), "1.5", []string{"1.5", "1.50", "15e-1"}},
		{of(701), "0", []string{"0", "-0.0", "0e5"}},
		{of(701), "1e+21", []string{"1e21", "1e 21", "1000000000000000000000"}},
		{of(701), "0.1", []string{"0.1", "0.1000000000000000055"}},
		{of(701), refused, []string{"1e309", "-1e309", "1e-400", "nan", "inf", "0x1p3", "1_0"}},
		{of(700), "0.1", []string{"0.1", "0.10000000001"}},
		{of(700), refused, []string{"1e39", "1e-60"}},
		{of(16), "true", []string{"true", "TRUE", "t", "1"}},
		{of(16), "false", []string{"false", "f", "F", "0"}},
		{of(16), refused, []string{"", "yes", "2", "tru"}},
		{of(1082), "2024-02-29", []string{"2024-02-29"}},
		{of(1082), refused, []string{"2023-02-29", "2024-2-9", "24-02-29", "0000-01-01", "2024-02-29T00:00:00", "today", "infinity"}},
		{of(1184), "2026-01-31T11:00:00Z", []string{
			"2026-01-31T12:00:00+01:00", "2026-01-31T12:00:00 01:00", "2026-01-31 12:00:00+0100", "2026-01-31T11:00:00Z",
			"2026-01-31t11:00:00z", "2026-01-31T11:00:00.000000000Z", "2026-01-31T11:00:00", "2026-01-31T10:00:00-01:00",
		}},
		{of(1184), "2026-01-31T00:00:00Z", []string{"2026-01-31"}},
		{of(1184), "2026-01-31T11:00:00.5Z", []string{"2026-01-31T11:00:00.50Z", "2026-01-31T11:00:00.4999999Z"}},
		{of(1184), "0001-01-01T00:00:00Z", []string{"0001-01-01T00:00:00Z"}},
		{of(1184), refused, []string{
			"", "now", "2026-01-31T25:00:00Z", "2026-01-31T11:00Z", "2026-01-31T11:00:60Z", "2026-01-31T24:00:00Z", "2026-13-01T00:00:00Z",
			"0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59.9999999Z", "2026-01-31T11:00:00+25:00", "2026-01-31T11:00:00.1234567890Z", "1769857200",
		}},
		{of(1114), "2026-01-31T11:00:00", []string{"2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00", "2026-01-31 11:00:00"}},
		{of(2950), "123e4567-e89b-12d3-a456-426614174000", []string{"123E4567-E89B-12D3-A456-426614174000", "123e4567e89b12d3a456426614174000"}},
		{of(2950), refused, []string{"", "123e4567-e89b-12d3-a456-42661417400", "{123e4567-e89b-12d3-a456-426614174000}", "123e-4567e89b-12d3-a456-426614174000"}},
		{of(25), " a B ", []string{" a B "}},
		{of(40001), "open", []string{"open"}},
	} {
		for _, raw := range c.raws {
			got, ok := c.typ.canonical(raw)
			if !ok {
				got = refused
			}
			if got != c.want {
				t.Errorf("%s %.40q: got %.60q, want %.60q", c.typ.kind, raw, got, c.want)
			}
		}
	}
}

// FuzzCanonical: what is canonical stays as it is, and is one line of text.
func FuzzCanonical(f *testing.F) {
	for _, raw := range []string{"1.50e-3", "-0", "1e308", "2026-01-31T12:00:00+01:00", "2026-01-31", "true", "123E4567E89B12D3A456426614174000"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for oid, typ := range columnTypes {
			once, ok := typ.canonical(raw)
			if !ok {
				continue
			}
			if twice, ok := typ.canonical(once); !ok || twice != once {
				t.Errorf("%d: %q becomes %q, then %q (%v)", oid, raw, once, twice, ok)
			}
			if typ.kind != Text && typ.kind != JSON && typ.kind != Bytes && len(once) > mostDigits+3 {
				t.Errorf("%d: %q becomes %d bytes", oid, raw, len(once))
			}
		}
	})
}

func TestArrayLiteral(t *testing.T) {
	for want, values := range map[string][]string{
		`{"a"}`:               {"a"},
		`{"a","b c"}`:         {"a", "b c"},
		`{"NULL","","{}"}`:    {"NULL", "", "{}"},
		`{"\"","\\","\\\"a"}`: {`"`, `\`, `\"a`},
	} {
		if got := arrayLiteral(values); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestLikePattern(t *testing.T) {
	if got := likePattern(MatchPrefix, `50%_\`); got != `50\%\_\\%` {
		t.Error(got)
	}
	if got := likePattern(MatchContains, "a"); got != "%a%" {
		t.Error(got)
	}
}
