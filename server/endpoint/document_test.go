package endpoint

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestDocument compares what readers are told about the endpoints of testdata
// with testdata/documents.golden.
func TestDocument(t *testing.T) {
	var out strings.Builder
	for _, name := range []string{"packages", "samples"} {
		text := string(compactJSON(compile(t, name).Document()))
		// A line for each thing that has a name.
		out.WriteString(strings.ReplaceAll(text, `{"Name"`, "\n"+`{"Name"`) + "\n")
	}
	golden(t, "documents.golden", out.String())
}

func TestDocumentOfAccessAndBatch(t *testing.T) {
	document := func(yaml string) Document {
		e, problems := one(t, "name: x\npath: /x\nquery: SELECT 1\nkey: id\n"+yaml, Described{Columns: []Column{{"id", 23, "int4"}}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return e.Document()
	}
	for yaml, want := range map[string]string{
		"access: public": AccessPublic, "access: authenticated": AccessAuthenticated, "access: [mallory]": AccessNamed, "": AccessPublic,
	} {
		d := document(yaml)
		if d.Access != want {
			t.Errorf("%s: %s", yaml, d.Access)
		}
		if text, _ := json.Marshal(d); strings.Contains(string(text), "mallory") {
			t.Errorf("a user's name is told: %s", text)
		}
	}
	if b := document("batch: {enabled: false}").Batch; b.Enabled || b.Formats != nil || b.ContentType != "" {
		t.Errorf("no twin: %+v", b)
	}
	if f := document("formats: [csv]").Formats; len(f) != 1 || f[0].MediaType != "text/csv" {
		t.Errorf("formats: %+v", f)
	}
	if f := document("batch: {formats: [xlsx, csv]}").Batch.Formats; len(f) != 2 || f[0].Word != "xlsx" {
		t.Errorf("batch formats: %+v", f)
	}
}

// The operators that are told are those that Parse takes, and no others.
func TestDocumentedOperatorsAreAllThereAre(t *testing.T) {
	value := map[string]string{
		"string": "x", "int": "1", "numeric": "1", "bool": "true", "date": "2026-01-31", "timestamp": "2026-01-31", "json": "{}",
		"uuid": "123e4567-e89b-12d3-a456-426614174000",
	}
	for _, name := range []string{"packages", "samples"} {
		e := compile(t, name)
		base := e.Spec.Example
		if base == "" {
			base = "/lab/a/run/1/samples"
		}
		base, _, _ = strings.Cut(base, "?")
		for _, f := range e.Document().Filters {
			told := strings.Join(f.Operators, " ") + " "
			for _, op := range append([]operator{equal}, prefixes...) {
				word, v := string(op), value[f.Type]
				switch op {
				case equal:
					word = "="
				case exists:
					v = "true"
				}
				_, err := ask(t, e, base+"?"+strings.ReplaceAll(string(op)+f.Name, " ", "+")+"="+v)
				if taken := err == nil; taken != strings.Contains(told, word+" ") {
					t.Errorf("%s %s: told among %q, Parse says %v", f.Name, word, told, err)
				}
			}
			if f.Places {
				mustAsk(t, e, base+"?"+f.Name+".any.place=x&exists-"+f.Name+".any.place=true")
			}
		}
	}
}
