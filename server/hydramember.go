package server

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// memberSink writes one row as an object: its columns, without NULLs, and its links.
type memberSink struct {
	ask
	columns []endpoint.Column
	json    *rows.JSON
	kind    resource
	hidden  []bool
	// body is the only member, when it is asked for alone.
	body []byte
}

// of is whose rows they are.
func (s *memberSink) of(a ask) { s.ask, s.columns = a, a.Columns() }

// Columns implements rows.Sink.
func (s *memberSink) Columns(columns []rows.Column) error {
	for i, c := range s.columns {
		columns[i].Type = c.TypeName
	}
	s.json, s.kind = rows.NewJSON(columns), resources[s.Endpoint.Spec.Name]
	s.hidden = make([]bool, len(columns))
	for i, c := range s.columns {
		s.hidden[i] = slices.Contains(s.kind.hidden, c.Name)
	}
	return nil
}

// Row implements rows.Sink.
func (s *memberSink) Row(values [][]byte) error {
	s.body = s.append(nil, values)
	return nil
}

// append writes a row.
func (s *memberSink) append(dst []byte, values [][]byte) []byte {
	get := func(name string) string {
		i := slices.IndexFunc(s.columns, func(c endpoint.Column) bool { return c.Name == name })
		if i < 0 {
			return ""
		}
		return string(values[i])
	}
	own := s.base + s.kind.path(s.Var("customer"), get)
	dst = append(dst, '{')
	dst = appendText(dst, "@context", s.base+"/contexts/"+s.kind.class+".jsonld")
	dst = appendText(append(dst, ','), "@id", own)
	dst = appendText(append(dst, ','), "@type", "vocab:"+s.kind.class)
	for i, v := range values {
		if v != nil && !s.hidden[i] {
			dst = s.json.AppendField(append(dst, ','), i, v)
		}
	}
	if s.kind.links == nil {
		return append(dst, '}')
	}
	for _, l := range s.kind.links(s.Var("customer"), own, get) {
		if l[1] != "" {
			if l[1][0] == '/' {
				l[1] = s.base + l[1]
			}
			dst = appendText(append(dst, ','), l[0], l[1])
		}
	}
	return append(dst, '}')
}

func appendText(dst []byte, name, value string) []byte {
	text, _ := json.Marshal(value) // a string
	return append(append(strconv.AppendQuote(dst, name), ':'), text...)
}

// resource is what rows of an endpoint over assets' tables are to clients.
type resource struct {
	class string
	// path is where one is, links what it leads to: name, and URL or path, "" for none. get
	// gives its columns.
	path  func(customer string, get func(string) string) string
	links func(customer, own string, get func(string) string) [][2]string
	// hidden are columns that are there for links only.
	hidden []string
}

func customerPath(customer string) string { return "/customers/" + customer }

func batchPath(customer, id string) string {
	if id == "" {
		return ""
	}
	return customerPath(customer) + "/queue/batches/" + id
}

func imagePath(customer string, get func(string) string) string {
	return customerPath(customer) + "/spaces/" + get("space") + "/images/" + url.PathEscape(get("id"))
}

var (
	batchResource = resource{
		class: "Batch",
		path:  func(c string, get func(string) string) string { return batchPath(c, get("id")) },
		links: func(c, own string, get func(string) string) [][2]string {
			links := [][2]string{{"images", own + "/images"}, {"assets", own + "/assets"}, {"test", own + "/test"}, {"retry", own + "/retry"}}
			if of := get("retryOf"); of != "" {
				links = append(links, [2]string{"retried", batchPath(c, of)})
			}
			return links
		},
	}
	imageResource = resource{
		class: "Image", path: imagePath, hidden: []string{"asset", "batch", "place"},
		links: func(c, own string, get func(string) string) [][2]string {
			return [][2]string{{"batch", batchPath(c, get("batch"))}, {"batches", own + "/batches"}}
		},
	}
)

// resources by the names of their endpoints.
var resources = map[string]resource{
	listBatches: batchResource, listActive: batchResource, listRecent: batchResource,
	listImages: imageResource, listBatchImages: imageResource, listBatchAssets: imageResource,
	listWork: {
		class: "Image", path: imagePath, hidden: imageResource.hidden,
		links: func(c, own string, get func(string) string) [][2]string {
			batch, outcome := batchPath(c, get("batch")), own+"/outcome"
			if batch != "" {
				outcome = batch + "/assets/" + get("space") + "/" + url.PathEscape(get("id"))
			}
			return [][2]string{{"batch", batch}, {"outcome", outcome}}
		},
	},
	listAssetBatches: {
		class: "BatchAsset",
		path:  batchResource.path,
		links: func(_, own string, _ func(string) string) [][2]string { return [][2]string{{"batch", own}} },
	},
	listSpaces: {
		class: "Space",
		path:  func(c string, get func(string) string) string { return customerPath(c) + "/spaces/" + get("id") },
		links: func(_, own string, _ func(string) string) [][2]string {
			return [][2]string{{"images", own + "/images"}}
		},
	},
	listQueries: {
		class: "NamedQuery",
		path:  func(c string, get func(string) string) string { return customerPath(c) + "/namedQueries/" + get("id") },
	},
	listCustomers: {
		class: "Customer",
		path:  func(c string, _ func(string) string) string { return customerPath(c) },
		links: func(_, own string, _ func(string) string) [][2]string {
			return [][2]string{{"spaces", own + "/spaces"}, {"queue", own + "/queue"}, {"namedQueries", own + "/namedQueries"}}
		},
	},
}
