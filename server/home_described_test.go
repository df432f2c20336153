package server

import (
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http/httptest"
	"os"
	"testing"

	"slashbatch/server/endpoint"
)

// described is what PostgreSQL says about the queries of testdata/endpoints.yaml.
var described = map[string]endpoint.Described{
	"packages": {
		Columns: []endpoint.Column{
			{Name: "id", OID: 20, TypeName: "bigint"},
			{Name: "stream", OID: 25, TypeName: "text"},
			{Name: "label", OID: 25, TypeName: "text"},
			{Name: "mass", OID: 1700, TypeName: "numeric"},
			{Name: "sent_at", OID: 1184, TypeName: "timestamp with time zone"},
			{Name: "note", OID: 25, TypeName: "text"},
		},
		Params: []uint32{25},
	},
	"kinds": {
		Columns: []endpoint.Column{
			{Name: "id", OID: 2950, TypeName: "uuid"},
			{Name: "small", OID: 21, TypeName: "smallint"},
			{Name: "count", OID: 23, TypeName: "integer"},
			{Name: "ratio", OID: 701, TypeName: "double precision"},
			{Name: "active", OID: 16, TypeName: "boolean"},
			{Name: "day", OID: 1082, TypeName: "date"},
			{Name: "seen", OID: 1114, TypeName: "timestamp without time zone"},
			{Name: "tags", OID: 1009, TypeName: "text[]"},
			{Name: "raw", OID: 17, TypeName: "bytea"},
			{Name: "attrs", OID: 3802, TypeName: "jsonb"},
			{Name: "gap", OID: 1186, TypeName: "interval"},
			{Name: `odd "name"`, OID: 25, TypeName: "text"},
		},
	},
	"mine": {Columns: []endpoint.Column{{Name: "id", OID: 20, TypeName: "bigint"}}, Params: []uint32{25}},
}

// describedServer returns a server with the endpoints of testdata/endpoints.yaml. Alice may use all
// of them, bob those for everybody with a key; the database of one is away.
func describedServer(t *testing.T) *Server {
	t.Helper()
	data, err := os.ReadFile("testdata/endpoints.yaml")
	if err != nil {
		t.Fatal(err)
	}
	specs, problems := endpoint.Decode(data, "endpoints.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	o := Options{
		Specs: specs, Registry: NewRegistry(), PublicURL: "https://data.example/x", Log: slog.New(slog.DiscardHandler),
		BatchEnabled: true, BatchPath: "/batch", AnonymousEnabled: true, SQLEnabled: true, MaxBodyBytes: 1 << 20,
		Users: []User{
			{Name: "alice", Keys: []Key{{Digest: sha256.Sum256([]byte("a-key"))}}},
			{Name: "bob", Keys: []Key{{Digest: sha256.Sum256([]byte("b-key"))}}},
		},
	}
	for _, spec := range specs {
		if d, ok := described[spec.Name]; ok {
			e, problems := endpoint.Compile(spec, d)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			o.Registry.Put(e)
		}
	}
	return New(o)
}

// askHandler sends a request to a handler.
func askHandler(s *Server, h handler, method, key string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handle(h).ServeHTTP(w, r)
	return w
}

// decodeJSON reads an answer.
func decodeJSON(t *testing.T, w *httptest.ResponseRecorder, into any) {
	t.Helper()
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatalf("%d %s: %v", w.Code, w.Body, err)
	}
}
