package blackbox

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The subtests "P-…" in assets_*_test.go are the lines of Protagonist's case list, by their
// numbers. Those of one file share a service, each with customers of its own.

// rootKey is the key of the only configured user, an admin.
const rootKey = "root's key"

// startAssets runs a service with an admin; the settings come on top.
func startAssets(t *testing.T, settings ...map[string]any) *service {
	t.Helper()
	return start(t, setup{settings: assetSettings(settings...)})
}

func assetSettings(settings ...map[string]any) map[string]any {
	all := map[string]any{"auth.users": []any{
		map[string]any{"name": "root", "admin": true, "keys": []any{map[string]any{"sha256": digest(rootKey)}}},
	}}
	for _, more := range settings {
		maps.Copy(all, more)
	}
	return all
}

// owner is a customer with its key, as a test asks in its name.
type owner struct {
	s    *service
	t    *testing.T
	id   int
	name string
	key  string
}

// newOwner makes a customer that has nothing yet.
func (s *service) newOwner(t *testing.T) *owner {
	t.Helper()
	o := &owner{s: s.in(t), t: t, name: "c-" + strings.ToLower(rand.Text())}
	made := decode[struct {
		ID  int
		Key string
	}](t, o.s.post("/customers", bearer(rootKey), jsonBody(`{"name": "`+o.name+`"}`)).wantCode(t, http.StatusCreated))
	if made.ID == 0 || made.Key == "" {
		t.Fatalf("the new customer is %+v, want an id and a key", made)
	}
	o.id, o.key = made.ID, made.Key
	return o
}

// path is a path below the customer's, such as /queue.
func (o *owner) path(path string) string { return "/customers/" + strconv.Itoa(o.id) + path }

// do sends a request to a path below the customer's; a body is JSON, as text or to be encoded.
func (o *owner) do(method, path string, body ...any) answer {
	o.t.Helper()
	with := []func(*http.Request){bearer(o.key)}
	for _, b := range body {
		with = append(with, jsonOf(o.t, b))
	}
	return o.s.do(method, o.path(path), with...)
}

func jsonOf(t *testing.T, body any) func(*http.Request) {
	t.Helper()
	if text, ok := body.(string); ok {
		return jsonBody(text)
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return jsonBody(string(text))
}

func (o *owner) get(path string) answer { o.t.Helper(); return o.do(http.MethodGet, path) }

func (o *owner) post(path string, body ...any) answer {
	o.t.Helper()
	return o.do(http.MethodPost, path, body...)
}

// run asks a named query, by its name and arguments with slashes between them.
func (o *owner) run(path string) answer {
	o.t.Helper()
	return o.s.get(fmt.Sprintf("/raw-resource/%d/%s", o.id, path), bearer(o.key))
}

// wantIDs checks the ids that a named query selects, in any order; the keys are
// space/key.
func (o *owner) wantIDs(path string, keys ...string) {
	o.t.Helper()
	got := decode[[]string](o.t, o.run(path).wantCode(o.t, http.StatusOK))
	slices.Sort(got)
	want := []string{}
	for _, k := range keys {
		want = append(want, strconv.Itoa(o.id)+"/"+k)
	}
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		o.t.Errorf("%s selects (-want +got):\n%s", path, d)
	}
}

// named saves a named query and returns the URL of it.
func (o *owner) named(name, template string) string {
	o.t.Helper()
	a := o.post("/namedQueries", map[string]any{"name": name, "template": template}).wantCode(o.t, http.StatusCreated)
	return a.location(o.t)
}

// space makes a space and returns its number.
func (o *owner) space(name string) int {
	o.t.Helper()
	return decode[struct{ ID int }](o.t, o.post("/spaces", map[string]any{"name": name}).wantCode(o.t, http.StatusCreated)).ID
}

// member is one of a batch, or an asset as it is answered.
type member = map[string]any

// image is a member that is an image, with more properties: a name, its value, and so on.
func image(space int, id string, more ...any) member {
	m := member{"space": space, "id": id, "origin": "https://example.org/" + url.PathEscape(id) + ".jpg", "mediaType": "image/jpeg"}
	for i := 0; i < len(more); i += 2 {
		m[more[i].(string)] = more[i+1]
	}
	return m
}

// members is the body of a batch.
func members(list ...member) map[string]any {
	if list == nil {
		list = []member{}
	}
	return map[string]any{"@type": "Collection", "member": list}
}

// ingest posts a batch.
func (o *owner) ingest(list ...member) batch {
	o.t.Helper()
	return decode[batch](o.t, o.post("/queue", members(list...)).wantCode(o.t, http.StatusCreated))
}

// batch is a batch as it is answered.
type batch struct {
	Context string `json:"@context"`
	URL     string `json:"@id"`
	Type    string `json:"@type"`

	ID, RetryOf              int64
	Count, Completed, Errors int
	Submitted, Finished      string
	Superseded, Priority     bool
	Revision                 int64
	PrunedCount              int
}

// at is the path of a batch below its customer's.
func at(id int64, more ...string) string {
	return fmt.Sprintf("/queue/batches/%d%s", id, strings.Join(more, ""))
}

func (o *owner) batch(id int64) batch {
	o.t.Helper()
	return decode[batch](o.t, o.get(at(id)).wantCode(o.t, http.StatusOK))
}

// wantCounts checks what a batch says about its members.
func (o *owner) wantCounts(id int64, count, completed, errors int, finished bool) batch {
	o.t.Helper()
	b := o.batch(id)
	if b.Count != count || b.Completed != completed || b.Errors != errors || (b.Finished != "") != finished {
		o.t.Errorf("count %d, completed %d, errors %d, finished %q; want %d, %d, %d, %t",
			b.Count, b.Completed, b.Errors, b.Finished, count, completed, errors, finished)
	}
	return b
}

// outcome reports what became of a member; why is the error, if it is one.
func (o *owner) outcome(id int64, space int, key, status, why string) answer {
	o.t.Helper()
	return o.post(at(id, fmt.Sprintf("/assets/%d/%s", space, key)), map[string]any{"status": status, "error": why})
}

// done reports success of members.
func (o *owner) done(id int64, space int, keys ...string) {
	o.t.Helper()
	for _, key := range keys {
		o.outcome(id, space, key, "completed", "").wantCode(o.t, http.StatusOK)
	}
}

// announced is how many completed events of a batch were written.
func (o *owner) announced(id int64) int {
	o.t.Helper()
	n, err := strconv.Atoi(o.value("SELECT count(*) FROM slashbatch.outbox WHERE batch = %d", id))
	if err != nil {
		o.t.Fatal(err)
	}
	return n
}

// value is the first value that a statement on the catalogue returns.
func (o *owner) value(format string, arguments ...any) string {
	o.t.Helper()
	rows := query(o.t, o.s.db, fmt.Sprintf(format, arguments...))
	if len(rows) == 0 {
		return ""
	}
	return rows[0][0]
}

// asset is an asset as it is answered.
func (o *owner) asset(space int, key string) member {
	o.t.Helper()
	return decode[member](o.t, o.get(fmt.Sprintf("/spaces/%d/images/%s", space, key)).wantCode(o.t, http.StatusOK))
}

// collection is a hydra collection.
type collection[M any] struct {
	Context              string `json:"@context"`
	URL                  string `json:"@id"`
	Type                 string `json:"@type"`
	TotalItems, PageSize int
	Member               []M
	View                 *struct {
		Type                        string `json:"@type"`
		First, Previous, Next, Last string
		Page, PageSize, TotalPages  int
	}
}

func (o *owner) batches(path string) collection[batch] {
	o.t.Helper()
	return decode[collection[batch]](o.t, o.get(path).wantCode(o.t, http.StatusOK))
}

func (o *owner) assets(path string) collection[member] {
	o.t.Helper()
	return decode[collection[member]](o.t, o.get(path).wantCode(o.t, http.StatusOK))
}

// wantTotal checks the size of a list and of its page.
func (o *owner) wantTotal(path string, total, page int) collection[member] {
	o.t.Helper()
	c := o.assets(path)
	if c.TotalItems != total || len(c.Member) != page || c.Member == nil {
		o.t.Errorf("%s: totalItems %d, %d members; want %d and %d", path, c.TotalItems, len(c.Member), total, page)
	}
	return c
}

// wantHydra checks a hydra error and that its description has all of the texts.
func (a answer) wantHydra(t *testing.T, code int, texts ...string) {
	t.Helper()
	a.wantCode(t, code)
	e := decode[struct {
		Type                string `json:"@type"`
		Status, StatusCode  int
		Title               string
		Description, Detail string
	}](t, a)
	if e.Type != "Error" || e.Status != code || e.StatusCode != code || e.Title == "" || e.Description != e.Detail {
		t.Errorf("the error is %s", clip(a.body))
	}
	for _, text := range texts {
		if !strings.Contains(e.Description, text) {
			t.Errorf("the description is %q, want %q in it", clip(e.Description), text)
		}
	}
}
