package assets

import (
	"encoding/json"
	"net/url"
	"testing"
)

// view is the view in JSON, null if there is none.
func view(t *testing.T, p Page, total int64, parameters url.Values) string {
	t.Helper()
	text, err := json.Marshal(p.View("/b", total, parameters))
	if err != nil {
		t.Fatal(err)
	}
	var links map[string]any
	if err := json.Unmarshal(text, &links); err != nil {
		t.Fatal(err)
	}
	delete(links, "@type")
	for _, name := range []string{"first", "previous", "next", "last", "@id"} {
		if link, ok := links[name].(string); ok {
			parsed, err := url.Parse(link)
			if err != nil {
				t.Fatal(err)
			}
			links[name] = parsed.Query().Get("page")
		}
	}
	short, err := json.Marshal(links)
	if err != nil {
		t.Fatal(err)
	}
	return string(short)
}

func TestP019(t *testing.T) {
	for _, c := range []struct {
		page  Page
		total int64
		want  string
	}{
		{Page{1, 2}, 7, `{"@id":"1","last":"4","next":"2","page":1,"pageSize":2,"totalPages":4}`},
		{Page{2, 2}, 7, `{"@id":"2","first":"1","last":"4","next":"3","page":2,"pageSize":2,"previous":"1","totalPages":4}`},
		{Page{4, 2}, 7, `{"@id":"4","first":"1","page":4,"pageSize":2,"previous":"3","totalPages":4}`},
		{Page{99, 2}, 7, `{"@id":"99","first":"1","page":99,"pageSize":2,"previous":"4","totalPages":4}`},
		{Page{2, 7}, 7, `{"@id":"2","first":"1","page":2,"pageSize":7,"previous":"1","totalPages":1}`},
		{Page{1, 100}, 7, "null"},
		{Page{1, 7}, 7, "null"},
		{Page{1, 6}, 7, `{"@id":"1","last":"2","next":"2","page":1,"pageSize":6,"totalPages":2}`},
		{Page{1, 2}, 0, "null"},
		{Page{9, 2}, 0, "null"},
		{Page{0, 2}, 7, "null"},
		{Page{}, 7, "null"},
	} {
		if got := view(t, c.page, c.total, nil); got != c.want {
			t.Errorf("page %+v of %d:\ngot  %s\nwant %s", c.page, c.total, got, c.want)
		}
	}
}

// The links keep what else was asked for, as it was, and can be followed.
func TestViewLinks(t *testing.T) {
	asked := url.Values{"page": {"2"}, "pageSize": {"2"}, "q": {`{"string1":"a&b"}`}, "orderBy": {"number1"}, "manifests": {"a", "b c"}}
	v := Page{Number: 2, Size: 2}.View("https://x/customers/99/queue/batches", 7, asked)
	const rest = "&pageSize=2&manifests=a&manifests=b+c&orderBy=number1&q=%7B%22string1%22%3A%22a%26b%22%7D"
	if want := "https://x/customers/99/queue/batches?page=3" + rest; v.Next != want {
		t.Errorf("got  %s\nwant %s", v.Next, want)
	}
	if v.Type != "PartialCollectionView" || !asked.Has("page") {
		t.Error(v.Type, asked)
	}
}
