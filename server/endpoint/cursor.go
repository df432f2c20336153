package endpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"unicode/utf8"
)

// A cursor is base64url of a JSON list: a digest, then the value of each order
// term in the last row of a page, in PostgreSQL's text, null for NULL. The
// digest is over the endpoint's, the terms and the values, so that a cursor
// which parses is one that Cursor made for this order, and its values are such
// as the columns have: none makes the query fail.

// mostCursorBytes bounds the text of a cursor, which stands in URLs.
const mostCursorBytes = 64 << 10

// OrderTerms is how many values Cursor needs: the terms of the order, with the
// key that breaks its ties. Page gives them behind the columns.
func (r *Request) OrderTerms() int { return len(r.terms()) }

// Cursor returns the value of _after for the page that follows the row with
// these values of the order's terms, nil for NULL, in the text that PostgreSQL
// gave. It is empty where there is none: the key is NULL, a value is not UTF-8
// (the database's encoding is SQL_ASCII), or the whole is too long for a URL.
func (r *Request) Cursor(last [][]byte) string {
	if len(last) != r.OrderTerms() {
		panic("endpoint: a cursor needs the value of each order term")
	}
	values := make([]Arg, len(last))
	for i, v := range last {
		if !utf8.Valid(v) || bytes.IndexByte(v, 0) >= 0 {
			return ""
		}
		values[i] = Arg{Value: string(v), Null: v == nil}
	}
	if values[len(values)-1].Null {
		return ""
	}
	if cursor := r.cursor(values); len(cursor) <= mostCursorBytes {
		return cursor
	}
	return ""
}

// Next returns the canonical parameters of the page behind the row that Cursor
// is about, or false where there is no cursor: then an offset has to do, counted
// from the last cursor. The next cursor makes it needless again.
func (r *Request) Next(last [][]byte) (url.Values, bool) {
	cursor := r.Cursor(last)
	if cursor == "" {
		return nil, false
	}
	values := r.Values()
	values.Set(paramAfter, cursor)
	values.Del(paramOffset)
	return values, true
}

// cursor writes the values as a cursor of the request's order.
func (r *Request) cursor(values []Arg) string {
	list := []*string{new(string)}
	*list[0] = r.orderDigest(values)
	for _, v := range values {
		if v.Null {
			list = append(list, nil)
			continue
		}
		list = append(list, &v.Value)
	}
	return base64.RawURLEncoding.EncodeToString(compactJSON(list))
}

// orderDigest is over everything that values of a cursor belong to, and over them.
func (r *Request) orderDigest(values []Arg) string {
	var terms []string
	for _, o := range r.terms() {
		terms = append(terms, o.String())
	}
	sum := sha256.Sum256(compactJSON(struct {
		Endpoint string
		Terms    []string
		Values   []Arg
	}{r.Endpoint.digest, terms, values}))
	return hex.EncodeToString(sum[:8])
}

// compactJSON writes JSON with < and & as they are.
func compactJSON(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // Only what can be written comes here.
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// readCursor returns the digest and the values of a cursor's text.
func readCursor(text string) (digest string, values []Arg, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil {
		return "", nil, false
	}
	var list []*string
	if json.Unmarshal(raw, &list) != nil || len(list) < 2 || list[0] == nil || list[len(list)-1] == nil {
		return "", nil, false
	}
	for _, v := range list[1:] {
		switch {
		case v == nil:
			values = append(values, Arg{Null: true})
		case strings.IndexByte(*v, 0) >= 0:
			return "", nil, false
		default:
			values = append(values, Arg{Value: *v})
		}
	}
	return *list[0], values, true
}

// after reads the cursor, once the order is known.
func (p *parser) after() {
	const beginAgain = "; leave _after out to begin with the first page again"
	r := p.request
	if p.cursor == "" {
		return
	}
	digest, values, ok := readCursor(p.cursor)
	switch {
	case !ok:
		p.problems.Add(paramAfter, "is no cursor of this service"+beginAgain)
	case p.misordered:
		// What order was meant is not known.
	case len(values) != r.OrderTerms() || digest != r.orderDigest(values):
		p.problems.Add(paramAfter, "is a cursor of another endpoint or order, or was changed"+beginAgain)
	default:
		r.after = values
	}
}
