package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"slashbatch/assets"
	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"

	"github.com/getkin/kin-openapi/routers/gorillamux"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// runningAssets adds assets to a server, and an admin. What it was told of the tables is what
// describedLists says.
func runningAssets(t *testing.T, o *Options, url string) {
	t.Helper()
	store, err := assets.Open(url, assets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	if _, err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	source, err := rows.Open("lists", url, rows.SourceOptions{MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	o.Sources["lists"], o.Sources[ListAnswers] = source, source
	o.Assets = AssetOptions{Store: store, Specs: listSpecs(t, "lists"), MaxMembers: 100, PageSize: 100, Limits: Limits{8, 64}}
	byName := func(columns []endpoint.Column) []endpoint.Column {
		slices.SortFunc(columns, func(a, b endpoint.Column) int { return strings.Compare(a.Name, b.Name) })
		return columns
	}
	for _, spec := range o.Assets.Specs {
		d, err := source.Describe(t.Context(), spec.Probe())
		if err != nil {
			t.Fatal(err)
		}
		described := endpoint.Described{Params: d.Params}
		for _, c := range d.Columns {
			described.Columns = append(described.Columns, endpoint.Column{Name: c.Name, OID: c.OID, TypeName: c.Type})
		}
		if diff := gocmp.Diff(byName(describedList(t, spec).Columns), byName(slices.Clone(described.Columns))); diff != "" {
			t.Errorf("%s: -describedLists +PostgreSQL:\n%s", spec.Name, diff)
		}
		e, problems := endpoint.Compile(spec, described)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		o.Registry.Put(e)
	}
	ended := make(chan struct{})
	close(ended)
	o.Closing = ended // lists of events end at once
	o.MinFresh = time.Hour
	o.Users[0].Admin = true
}

// What the server answers about assets is what its document says, for each operation that
// there is.
func TestAnswersAboutAssetsAreAsDescribed(t *testing.T) {
	var address string
	s := runningServer(t, func(o *Options, url string) {
		address = url
		runningAssets(t, o, url)
	})
	document, err := valid(openapiOf(t, s, "a-key"))
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	c := &conforming{T: t, server: s, router: router, asked: map[string]bool{}}

	var customer struct {
		ID  int
		Key string
	}
	decodeJSON(t, c.ask(http.StatusCreated, "a-key", http.MethodPost, "/customers",
		`{"name": "gallery", "displayName": "The gallery", "retention": {"completed": "30d", "errors": 0, "keepLast": 1}}`), &customer)
	if w := askHandler(s, s.openapi, http.MethodGet, customer.Key); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"/customers"`) {
		t.Errorf("a customer is told %d", w.Code)
	}
	home := fmt.Sprintf("/customers/%d", customer.ID)
	c.customers(home, customer.Key)
	c.batches(home, customer.Key)
	c.images(home, customer.Key)
	c.namedQueries(home, customer.Key)
	for _, spec := range s.routedLists() {
		path := strings.NewReplacer("{customer}", fmt.Sprint(customer.ID), "{space}", "1", "{image}", "a", "{batch}", "1",
			"{name}", "report", "{_args...}", "1").Replace(spec.Path)
		c.list(path, s.list(spec, caller{}, "http://example.com"))
	}

	connection, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Exec(t.Context(), `UPDATE slashbatch.batch SET pruned_count = 1, pruned_at = now() WHERE id = 1`); err != nil {
		t.Fatal(err)
	}
	connection.Close(t.Context())
	raw := fmt.Sprintf("/raw-resource/%d/report/1", customer.ID)
	c.ask(http.StatusGone, customer.Key, http.MethodGet, raw)
	c.ask(http.StatusGone, customer.Key, http.MethodPost, raw+"/batch")
	c.ask(http.StatusOK, customer.Key, http.MethodGet, home+"/queue/batches/1")
	c.ask(http.StatusOK, customer.Key, http.MethodGet, home+"/queue/batches/1/assets")

	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if strings.HasPrefix(operation.OperationID, "assets.") && !c.asked[operation.OperationID] {
				t.Errorf("nobody asked %s %s", method, path)
			}
		}
	}
}

func (c *conforming) customers(home, key string) {
	c.ask(http.StatusConflict, "a-key", http.MethodPost, "/customers", `{"name": "gallery"}`)
	c.ask(http.StatusBadRequest, "a-key", http.MethodPost, "/customers", `{"name": "1", "retention": {"old": 1}}`)
	c.ask(http.StatusUnauthorized, "b-key", http.MethodPost, "/customers", `{"name": "other"}`)
	c.ask(http.StatusOK, key, http.MethodGet, home)
	c.ask(http.StatusUnauthorized, "", http.MethodGet, home)
	c.ask(http.StatusNotFound, "a-key", http.MethodGet, "/customers/77")
	c.ask(http.StatusCreated, key, http.MethodPost, home+"/spaces", `{"name": "maps"}`)
	c.ask(http.StatusCreated, key, http.MethodPost, home+"/spaces", `{"name": "shelves"}`)
	c.ask(http.StatusConflict, key, http.MethodPost, home+"/spaces", `{"name": "maps"}`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, home+"/spaces", `{}`)
	c.ask(http.StatusNotFound, "a-key", http.MethodPost, "/customers/77/spaces", `{"name": "maps"}`)
	c.ask(http.StatusOK, key, http.MethodGet, home+"/spaces/1")
	c.ask(http.StatusNotFound, key, http.MethodGet, home+"/spaces/9")
}

// batches posts batches, and has the first, which is 1, finished.
func (c *conforming) batches(home, key string) {
	queue := home + "/queue"
	const member = `{"member": [
		{"id": "a", "space": 1, "origin": "https://example.com/a", "mediaType": "image/png", "family": "I", "string1": "x", "number1": 9223372036854775807,
		 "tags": ["t", "u"], "roles": [], "manifests": ["m"], "maxUnauthorised": -1, "deliveryChannels": [{"channel": "iiif-img", "policy": "default"}]},
		{"id": "b", "space": 1, "origin": "https://example.com/b", "mediaType": "image/png"}], "retention": {"completed": "1d12h"}}`
	for range 2 {
		c.header = http.Header{"Idempotency-Key": {"once"}}
		c.ask(http.StatusCreated, key, http.MethodPost, queue, member)
	}
	c.header = http.Header{"Idempotency-Key": {"once"}}
	c.ask(http.StatusUnprocessableEntity, key, http.MethodPost, queue, strings.Replace(member, "1d12h", "2d", 1))
	c.header = http.Header{"Content-Type": {"text/csv"}}
	var waits struct{ ID int }
	decodeJSON(c.T, c.ask(http.StatusCreated, key, http.MethodPost, queue, "id,space,origin,mediaType,family\nf,1,https://example.com/f,application/pdf,F\n"), &waits)
	c.header = http.Header{"Content-Type": {"text/plain"}}
	c.ask(http.StatusUnsupportedMediaType, key, http.MethodPost, queue, "f")
	c.ask(http.StatusBadRequest, key, http.MethodPost, queue, `{"member": [{"space": 7, "width": 1}]}`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, queue, `{"member": [{"space": 7, "origin": "o", "mediaType": "image/png"}]}`)
	c.ask(http.StatusCreated, key, http.MethodPost, queue+"/priority", `{"member": [{"id": "p", "space": 2, "origin": "o", "mediaType": "image/png"}]}`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, queue+"/priority", `{"member": [{"id": "p", "space": 2, "origin": "o", "mediaType": "application/pdf"}]}`)
	for _, path := range []string{queue, queue + "/priority", queue + "/batches/1"} {
		c.ask(http.StatusOK, key, http.MethodGet, path)
		c.ask(http.StatusUnauthorized, "b-key", http.MethodGet, path)
	}
	c.ask(http.StatusOK, "", http.MethodGet, "/queue")
	c.ask(http.StatusNotFound, key, http.MethodGet, queue+"/batches/999")

	var work struct{ Member []struct{ Outcome string } }
	decodeJSON(c.T, c.ask(http.StatusOK, key, http.MethodGet, queue+"/work?limit=50"), &work)
	if len(work.Member) != 4 {
		c.Errorf("%d are handed out", len(work.Member))
	}
	c.ask(http.StatusBadRequest, key, http.MethodGet, queue+"/work?limit=0")
	one := queue + "/batches/1/assets/1/a"
	c.ask(http.StatusOK, key, http.MethodPost, one, `{"status": "waiting"}`)
	c.ask(http.StatusOK, key, http.MethodPost, one, `{"status": "completed", "width": 10, "height": 20}`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, one, `{"status": "done"}`)
	c.ask(http.StatusNotFound, key, http.MethodPost, queue+"/batches/1/assets/1/z", `{"status": "completed"}`)
	many := queue + "/batches/1/outcomes"
	c.ask(http.StatusOK, key, http.MethodPost, many, `{"member": [{"space": 1, "id": "b", "status": "error", "error": "why"}]}`)
	c.ask(http.StatusOK, key, http.MethodPost, many, `[{"space": 1, "id": "b", "status": "error", "error": "why"}]`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, many, `{"member": [{"space": 1, "id": "z", "status": "completed"}]}`)
	c.ask(http.StatusNotFound, key, http.MethodPost, queue+"/batches/999/outcomes", `[{"space": 1, "id": "b", "status": "completed"}]`)
	c.ask(http.StatusOK, key, http.MethodPost, queue+"/batches/1/test")
	c.ask(http.StatusNotFound, key, http.MethodPost, queue+"/batches/999/test")
	c.ask(http.StatusCreated, key, http.MethodPost, queue+"/batches/1/retry")
	c.ask(http.StatusBadRequest, key, http.MethodPost, fmt.Sprintf("%s/batches/%d/retry", queue, waits.ID))
	if w := c.ask(http.StatusOK, key, http.MethodGet, queue+"/events?after=0"); !strings.Contains(w.Body.String(), "batch-completed") {
		c.Error("there are no events")
	}
	c.header = http.Header{"Last-Event-Id": {"0"}}
	c.ask(http.StatusOK, key, http.MethodGet, queue+"/events")
	c.ask(http.StatusBadRequest, key, http.MethodGet, queue+"/events?after=x")
}

func (c *conforming) images(home, key string) {
	image := home + "/spaces/1/images/"
	c.ask(http.StatusOK, key, http.MethodGet, image+"a")
	c.ask(http.StatusNotFound, key, http.MethodGet, image+"z")
	c.ask(http.StatusConflict, key, http.MethodPost, image+"b/outcome", `{"status": "completed"}`)
	c.ask(http.StatusOK, key, http.MethodPost, home+"/spaces/2/images/p/reingest")
	c.ask(http.StatusBadRequest, key, http.MethodPost, image+"f/reingest")
	c.ask(http.StatusNotFound, key, http.MethodPost, image+"z/reingest")
	c.ask(http.StatusOK, key, http.MethodPost, home+"/spaces/2/images/p/outcome", `{"status": "completed"}`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, home+"/spaces/2/images/p/outcome", `{}`)
	c.ask(http.StatusNotFound, key, http.MethodPost, image+"z/outcome", `{"status": "completed"}`)
	c.ask(http.StatusNoContent, key, http.MethodDelete, home+"/spaces/2/images/p")
	c.ask(http.StatusNotFound, key, http.MethodDelete, home+"/spaces/2/images/p")
}

func (c *conforming) namedQueries(home, key string) {
	named := home + "/namedQueries"
	var made struct{ ID string }
	c.ask(http.StatusCreated, key, http.MethodPost, named, `{"name": "report", "template": "batch=p1&assetOrder=n1"}`)
	decodeJSON(c.T, c.ask(http.StatusCreated, "a-key", http.MethodPost, named, `{"name": "all", "template": "space=p1", "global": true}`), &made)
	c.ask(http.StatusConflict, key, http.MethodPost, named, `{"name": "report", "template": "s1=p1"}`)
	c.ask(http.StatusForbidden, key, http.MethodPost, named, `{"name": "other", "template": "s1=p1", "global": true}`)
	c.ask(http.StatusBadRequest, key, http.MethodPost, named, `{"id": "x", "template": "space=x"}`)
	one := named + "/" + made.ID
	c.ask(http.StatusOK, key, http.MethodGet, one)
	c.ask(http.StatusNotFound, key, http.MethodGet, named+"/x")
	c.ask(http.StatusOK, "a-key", http.MethodPut, one, `{"template": "space=p1&s1=p2"}`)
	c.ask(http.StatusForbidden, key, http.MethodPut, one, `{"template": "s1=p1", "global": true}`)
	c.ask(http.StatusBadRequest, key, http.MethodPut, one, `{"name": "x", "template": "s1=p1"}`)

	raw := "/raw-resource" + strings.TrimPrefix(home, "/customers")
	c.ask(http.StatusOK, key, http.MethodGet, raw+"/all/1")
	c.ask(http.StatusOK, key, http.MethodGet, "/raw-resource/gallery/report/1?_view=full")
	c.ask(http.StatusUnauthorized, "", http.MethodGet, raw+"/all/1")
	c.ask(http.StatusNotFound, key, http.MethodGet, raw+"/none/1")
	c.ask(http.StatusOK, "", http.MethodOptions, raw+"/all/1")
	c.ask(http.StatusOK, "", http.MethodOptions, raw+"/all/1/batch")

	c.ask(http.StatusForbidden, key, http.MethodDelete, one)
	c.ask(http.StatusNoContent, "a-key", http.MethodDelete, one)
	c.ask(http.StatusNotFound, key, http.MethodDelete, one)
}

// list asks for a list with each of the parameters that it has, and for its twin.
func (c *conforming) list(path string, l listed) {
	for _, format := range rowFormats(l.spec) {
		c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?_format="+format.Word)
		c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?_limit=1&_format="+format.Word)
	}
	for _, v := range l.Views {
		c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?_view="+v.Name)
	}
	c.ask(http.StatusBadRequest, "a-key", http.MethodGet, path+"?nonsense=1")
	c.ask(http.StatusNotAcceptable, "a-key", http.MethodGet, path+"?_format=runes")
	c.ask(http.StatusUnauthorized, "b-key", http.MethodGet, path)
	away := "/customers/77" + strings.TrimPrefix(path, "/customers/1")
	if l.Name == listQuery {
		away = "/raw-resource/77/report/1"
	} else {
		c.collection(path, l)
	}
	c.ask(http.StatusNotFound, "a-key", http.MethodGet, away)
	for _, tail := range []string{"", "/status"} {
		c.ask(http.StatusNotFound, "a-key", http.MethodGet, away+"/batch"+tail)
	}
	for _, tail := range []string{"", "/cancel", "/links"} {
		c.ask(http.StatusNotFound, "a-key", http.MethodPost, away+"/batch"+tail)
	}
	c.ask(http.StatusUnauthorized, "b-key", http.MethodGet, path+"/batch")
	c.header = http.Header{"Prefer": {"respond-async"}}
	c.ask(http.StatusAccepted, "a-key", http.MethodGet, path+"?_limit=3")
	c.twin(path+"/batch", fileWords(offeredFiles(l.spec)), "_limit")
	c.links(path+"/batch", fileWords(offeredFiles(l.spec)), "_limit")
}

// collection asks with the parameters of collections, all that the document has.
func (c *conforming) collection(path string, l listed) {
	var page struct {
		Member []json.RawMessage
		View   *assets.View
	}
	decodeJSON(c.T, c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?page=1&pageSize=1"), &page)
	if len(page.Member) != 1 {
		c.Errorf("%s: there are %d members, so nothing was compared", path, len(page.Member))
	}
	if page.View != nil {
		c.ask(http.StatusOK, "a-key", http.MethodGet, strings.TrimPrefix(page.View.Next, "http://example.com"))
	}
	for _, p := range collectionParameters(l, 100) {
		switch {
		case strings.HasPrefix(p.Name, "orderBy"):
			names, _, _ := strings.Cut(p.Description[strings.Index(p.Description, "One of ")+len("One of "):], ".")
			for name := range strings.SplitSeq(names, ", ") {
				c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?"+p.Name+"="+name)
			}
			c.ask(http.StatusBadRequest, "a-key", http.MethodGet, path+"?"+p.Name+"=nonsense")
		case p.Name == "q":
			filters := map[string]any{}
			for name, one := range p.Content[typeJSON].Schema.Properties {
				filters[name] = map[any]any{"string": "x", "integer": 1, "array": []string{"m"}}[one.Type]
			}
			q, err := json.Marshal(filters)
			if err != nil {
				c.Fatal(err)
			}
			c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?q="+url.QueryEscape(string(q)))
			c.ask(http.StatusOK, "a-key", http.MethodGet, path+"?manifests=m,n")
			c.ask(http.StatusBadRequest, "a-key", http.MethodGet, path+"?q="+url.QueryEscape(`{"other": 1}`))
		}
	}
}
