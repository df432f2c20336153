package blackbox

import (
	"encoding/csv"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// formulaSchema adds rows whose texts a spreadsheet would run, and some that only look so.
const formulaSchema = `
INSERT INTO thing (id, txt, vc, ch, nm, ci, dom)
SELECT 1000 + n, w, left(w, 20), left(w, 4), w, w, w
FROM unnest(ARRAY['=1+1', '+1', '-1', '-', '@SUM(1)', E'\t=1', E'\r=1', '=cmd|'' /C calc''!A0', '=HYPERLINK("http://example.com","x")', '=', '1=1', 'a-b', '''=1', ' =1', 'x@example.com', '€']) WITH ORDINALITY AS f(w, n);
INSERT INTO thing (id, i2, num, price, f8, iv, texts, jb) VALUES (2000, -1, -1.5, -0.01, -1e-5, '-1 day', '{=1+1,-1}', '-1');
INSERT INTO thing (id, f8, jb) VALUES (2001, '-Infinity', '"=1+1"');
`

var formulaTexts = []string{"txt", "vc", "ch", "nm", "ci", "dom"}

// cells reads a CSV file with its header.
func cells(t *testing.T, file string, delimiter rune) (head []string, rows [][]string) {
	t.Helper()
	r := csv.NewReader(strings.NewReader(file))
	r.Comma = delimiter
	all, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return all[0], all[1:]
}

func newFormulas(t *testing.T) *service {
	t.Helper()
	db := newDatabase(t)
	execute(t, db, thingSchema+formulaSchema)
	return start(t, setup{db: db, endpoints: []string{thingSpec}})
}

// _safe changes texts that a spreadsheet would run, and nothing else.
func TestSafe(t *testing.T) {
	t.Parallel()
	s := newFormulas(t)
	plain, safe := s.get("/thing.csv").wantCode(t, http.StatusOK), s.get("/thing.csv?_safe=true").wantCode(t, http.StatusOK)
	head, before := cells(t, plain.body, ',')
	safeHead, after := cells(t, safe.body, ',')
	if !slices.Equal(head, safeHead) || len(before) != len(after) {
		t.Fatalf("%d rows of %v became %d of %v", len(before), head, len(after), safeHead)
	}
	changed := 0
	for i, row := range before {
		for j, was := range row {
			is := after[i][j]
			if runs := was != "" && strings.ContainsAny(was[:1], "=+-@\t\r"); !runs || !slices.Contains(formulaTexts, head[j]) {
				if is != was {
					t.Errorf("row %s, %s: %q became %q", row[0], head[j], was, is)
				}
				continue
			}
			if changed++; is == was || !strings.HasSuffix(is, was) || strings.ContainsAny(is[:1], "=+-@\t\r") {
				t.Errorf("row %s, %s: %q is %q still", row[0], head[j], was, is)
			}
		}
	}
	if changed < 10*len(formulaTexts) {
		t.Errorf("only %d cells were looked at", changed)
	}
	if off := s.get("/thing.csv?_safe=false"); off.body != plain.body {
		t.Error("_safe=false changes the file")
	}
}

// The other options change what is between the cells, and how the file begins.
func TestDelimiterAndBOM(t *testing.T) {
	t.Parallel()
	s := newThings(t)
	plain := s.get("/thing.csv").body
	head, want := cells(t, plain, ',')
	for word, delimiter := range map[string]rune{"comma": ',', "semicolon": ';', "tab": '\t'} {
		t.Run(word, func(t *testing.T) {
			a := s.in(t).get("/thing.csv?_delimiter="+word).wantCode(t, http.StatusOK)
			if first, _, _ := strings.Cut(a.body, "\r\n"); first != strings.Join(head, string(delimiter)) {
				t.Errorf("the header is %q", first)
			}
			_, rows := cells(t, a.body, delimiter)
			for i := range want {
				if !slices.Equal(rows[i], want[i]) {
					t.Errorf("row %d is %q, want %q", i, rows[i], want[i])
				}
			}
			s.in(t).wantCopy(a.body, ", DELIMITER '"+string(delimiter)+"'")
		})
	}
	// What is no delimiter needs no quotes.
	if a := s.get("/thing.csv?_view=text&id=4&_delimiter=semicolon"); !strings.HasPrefix(a.body, "txt\r\n\"a,\"\"b\"\"\r\nc\td") {
		t.Errorf("a text with commas is %q", a.body)
	}
	if marked := s.get("/thing.csv?_bom=true"); marked.body != "\uFEFF"+plain {
		t.Errorf("with _bom the file begins with %q", clip(marked.body)[:10])
	}
	t.Run("with a mark", func(t *testing.T) { s.in(t).wantCopy(s.get("/thing.csv?_bom=true").body, "") })
	if off := s.get("/thing.csv?_bom=false"); off.body != plain {
		t.Error("_bom=false changes the file")
	}
	all := s.get("/thing?_format=csv&_bom=true&_delimiter=tab&_safe=true&_view=text&id=1").body
	if all != "\uFEFFtxt\r\nplain\r\n" {
		t.Errorf("all options give %q", all)
	}
	// Empty rows have the mark and the header all the same.
	if none := s.get("/thing.csv?_bom=true&_delimiter=semicolon&_limit=0").body; none != "\uFEFF"+strings.Join(head, ";")+"\r\n" {
		t.Errorf("no rows give %q", clip(none))
	}
}

// A file that was asked for with options has them.
func TestOptionsOfFiles(t *testing.T) {
	t.Parallel()
	s := newFormulas(t)
	for option, want := range map[string]string{
		"_delimiter=semicolon": "id;i2;i8;",
		"_delimiter=tab":       "id\ti2\ti8\t",
		"_bom=true":            "\uFEFFid,i2,i8,",
		"_safe=true":           "id,i2,i8,",
	} {
		a := s.get("/thing/batch?id=1001&_wait=30&"+option).wantCode(t, http.StatusOK)
		if !strings.HasPrefix(a.body, want) {
			t.Errorf("%s: the file begins with %q, want %q", option, a.body[:20], want)
		}
		if option == "_safe=true" && strings.Contains(a.body, ",=1+1,") {
			t.Errorf("%s: the file has a formula: %q", option, a.body)
		}
	}
}
