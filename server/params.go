package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"slashbatch/internal/problem"
	"slashbatch/server/endpoint"
)

// ask is a request to an endpoint, understood.
type ask struct {
	*endpoint.Request
	caller caller
	// base is the root of the server as the client sees it.
	base string
	// assets is what is known of a request over assets' tables; nil for others.
	assets *assetAsk
}

// understand identifies the caller and turns path, query and body into a
// request of the endpoint. The caller is checked before the endpoint is looked at.
func (s *Server) understand(w http.ResponseWriter, r *http.Request, spec *endpoint.Spec) (ask, error) {
	if spec.Name == listQuery {
		w.Header().Set("Access-Control-Allow-Origin", "*") // whose key it is, is said by the key
	}
	c, customer, err := s.admit(r, spec)
	if err != nil {
		return ask{}, err
	}
	vars, err := pathVars(r)
	if err != nil {
		return ask{}, err
	}
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return ask{}, badRequest("the query string is not well encoded")
	}
	if r.Method == http.MethodPost {
		if err := s.addBody(w, r, params); err != nil {
			return ask{}, err
		}
	}
	a, in := ask{caller: c, base: s.base(r)}, endpoint.Input{Vars: vars, Params: params, User: c.name}
	if spec.Own != nil {
		if spec, a.assets, err = s.assetInput(r, spec, customer, &in); err != nil {
			return ask{}, err
		}
	}
	e, err := s.Registry.find(spec)
	if err != nil {
		return ask{}, err
	}
	var problems problem.List
	if a.Request, problems = e.Parse(in); len(problems) > 0 {
		return ask{}, badParameters(problems)
	}
	return a, nil
}

// readBody reads a body of at most MaxBodyBytes.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// A client that never sends its body must not hold the connection for ever.
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(s.bodyTimeout)) // a test's writer has none
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, s.MaxBodyBytes))
	if err != nil {
		return nil, unreadBody(w, err)
	}
	// Later the deadline would end the handler.
	_ = connection.SetReadDeadline(time.Time{})
	return body, nil
}

// readDocument reads a JSON object into a struct. What it does not know is passed over: clients
// send back what they were given.
func (s *Server) readDocument(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := s.readBody(w, r)
	if err != nil {
		return err
	}
	if !utf8.Valid(body) || !wholeEscapes(body) {
		return badRequest("the body is not valid UTF-8, or has a NUL, or an escape that is half a character")
	}
	if err := json.Unmarshal(body, into); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return badParameters(problem.List{{Path: strings.ToLower(wrong.Field[:1]) + wrong.Field[1:], Message: "expected another type than a JSON " + wrong.Value}})
		}
		return badRequest("the body is not a JSON object")
	}
	return nil
}

// wholeEscapes reports whether no \u… in a JSON text is a NUL or half a character, which a
// decoder would replace without a word.
func wholeEscapes(body []byte) bool {
	unit := func(i int) (rune, bool) {
		if i+6 > len(body) || body[i] != '\\' || body[i+1] != 'u' {
			return 0, false
		}
		n, err := strconv.ParseUint(string(body[i+2:i+6]), 16, 16)
		return rune(n), err == nil
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		r, ok := unit(i)
		switch {
		case !ok:
			i++ // what is escaped
		case r == 0:
			return false
		case utf16.IsSurrogate(r):
			low, _ := unit(i + 6)
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return false
			}
			i += 11
		default:
			i += 5
		}
	}
	return true
}

// addBody adds the parameters of a form or of a JSON object to the query's.
func (s *Server) addBody(w http.ResponseWriter, r *http.Request, params url.Values) error {
	body, err := s.readBody(w, r)
	if err != nil || len(body) == 0 {
		return err
	}
	mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return badRequest("the form is not well encoded")
		}
		for name, values := range form {
			params[name] = append(params[name], values...)
		}
		return nil
	case "application/json":
		return addJSON(body, params)
	}
	return &httpError{Status: http.StatusUnsupportedMediaType, Detail: "the body may be application/x-www-form-urlencoded or application/json"}
}

// unreadBody is the answer to a body that could not be read to its end. The
// connection is of no use afterwards, and its deadline stays: net/http reads on
// for a while.
func unreadBody(w http.ResponseWriter, err error) error {
	w.Header().Set("Connection", "close")
	if _, long := errors.AsType[*http.MaxBytesError](err); long {
		return err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &httpError{Status: http.StatusRequestTimeout, Detail: "the body did not arrive in time"}
	}
	return badRequest("the body broke off or is not well encoded")
}

// addJSON adds the members of an object: strings, numbers and booleans, or
// lists of them. Numbers keep the digits they were sent with. What a lenient
// decoder would silently drop or replace is refused: it would export other
// rows than were asked for.
func addJSON(body []byte, params url.Values) error {
	if !utf8.Valid(body) {
		return badRequest("the body is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return badRequest("the body is not a JSON object of parameters")
	}
	var problems problem.List
	seen := map[string]bool{}
	for decoder.More() {
		name, err := decoder.Token()
		var value any
		if err == nil {
			err = decoder.Decode(&value)
		}
		if err != nil {
			return badRequest("the body is not a JSON object of parameters")
		}
		if reason := addMember(params, seen, name.(string), value, body); reason != "" {
			problems.Add(name.(string), "%s", reason)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return badRequest("the body is not a JSON object of parameters")
	}
	if _, err := decoder.Token(); err != io.EOF {
		return badRequest("the body has more after its JSON object")
	}
	if len(problems) > 0 {
		return badParameters(problems)
	}
	return nil
}

// addMember adds one member of the object, or says what is wrong with it.
func addMember(params url.Values, seen map[string]bool, name string, value any, body []byte) string {
	if seen[name] {
		return "stands twice in the JSON object; several values go into a list"
	}
	seen[name] = true
	list, many := value.([]any)
	if !many {
		list = []any{value}
	}
	for _, one := range list {
		text, ok := scalar(one)
		if !ok {
			return "expected a string, a number, true or false, or a list of these"
		}
		// The decoder writes U+FFFD for an escape that is half a character.
		if strings.ContainsRune(text, utf8.RuneError) && !bytes.ContainsRune(body, utf8.RuneError) {
			return `has an escape \u… that is no character`
		}
		params.Add(name, text)
	}
	return ""
}

func scalar(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// plainURL, twinURL and statusURL are the absolute URLs of the request, of its file, and of
// how that stands.
func (a ask) plainURL() string { return a.base + a.Path() + query(a.Values()) }

// prefix is the path of the server's root as the client sees it: forms post to
// the host that the page came from, below publicUrl's path.
func (a ask) prefix() string {
	root, err := url.Parse(a.base)
	if err != nil {
		return ""
	}
	return root.EscapedPath()
}

func (s *Server) twinURL(a ask) string {
	return a.base + a.Path() + s.BatchPath + query(a.fileValues())
}

// statusURL leads to the status of the request, or of one job of it. Who asked
// for fresh rows is shown their run, not the older file.
func (s *Server) statusURL(a ask, job string) string {
	values := a.fileValues()
	if a.Control.Fresh {
		values.Set("_fresh", "true")
	}
	if job != "" {
		values.Set("_job", job)
	}
	return a.base + a.Path() + s.BatchPath + "/status" + query(values)
}

func query(values url.Values) string {
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// cacheScope says who may keep an answer of the endpoint.
func cacheScope(w http.ResponseWriter, spec *endpoint.Spec) (private bool) {
	if spec.Access.Public {
		return false
	}
	w.Header().Add("Vary", "Authorization")
	return true
}
