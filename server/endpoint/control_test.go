package endpoint

import (
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Where no endpoint is asked, the control parameters that count are read as always, others that
// begin with _ are refused, and the rest is let be.
func TestParseControl(t *testing.T) {
	for query, want := range map[string]struct {
		control  Control
		problems []string
	}{
		"_wait=5&_delimiter=tab&_bom=true":    {control: Control{Wait: 5 * time.Second, Waits: true, Delimiter: '\t', BOM: true}},
		"utm_source=x&fbclid=y&id=1&_wait=":   {},
		"_bom=1&_bom=true":                    {problems: []string{"_bom"}},
		"_bom=perhaps&_delimiter=pipe":        {problems: []string{"_bom", "_delimiter"}},
		"_limit=5&_sort=id&_after=x&_view=id": {problems: []string{"_after", "_limit", "_sort", "_view"}},
		"_delimeter=tab&_%FF=x&_%00=x":        {problems: []string{"_\x00", "_delimeter", "_\uFFFD"}},
		"_wait=%FF":                           {problems: []string{"_wait"}},
	} {
		params, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		control, problems := ParseControl(params, "_wait", "_delimiter", "_bom", "_safe")
		var names []string
		for _, p := range problems {
			names = append(names, p.Path)
		}
		if diff := cmp.Diff(want.problems, names); diff != "" {
			t.Errorf("%s: %s", query, diff)
		}
		if len(problems) == 0 && control != want.control {
			t.Errorf("%s: %+v, want %+v", query, control, want.control)
		}
	}
}
