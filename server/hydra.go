package server

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Collections and errors of the paths about assets are in the words of Hydra, with which
// DLCS' clients read them.

const hydraContext = "http://www.w3.org/ns/hydra/context.jsonld"

// handleHydra adapts a handler whose errors are told in Hydra's words.
func (s *Server) handleHydra(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		if r.Context().Err() != nil {
			return // nobody is there to read it
		}
		e := toHTTP(err)
		s.logError(r, e, err)
		e.writeHydra(w, r, s.base(r)+r.URL.RequestURI())
	})
}

// hydraError is RFC 9457's form with Hydra's members beside it.
type hydraError struct {
	Context     string `json:"@context"`
	HydraType   string `json:"@type"`
	Type        string `json:"type"`
	Status      int    `json:"status"`
	StatusCode  int    `json:"statusCode"`
	Title       string `json:"title"`
	Detail      string `json:"detail"`
	Description string `json:"description"`
	Instance    string `json:"instance"`
	Problems    any    `json:"problems,omitempty"`
}

// writeHydra answers with the error. The description has all messages, each once.
func (e *httpError) writeHydra(w http.ResponseWriter, r *http.Request, instance string) {
	e.prepare(w)
	title, detail := http.StatusText(e.Status), e.Detail
	d := hydraError{Context: hydraContext, HydraType: "Error", Type: "about:blank", Status: e.Status, StatusCode: e.Status, Instance: instance}
	if e.Status == http.StatusBadRequest {
		title = "Bad request"
	}
	if len(e.Problems) > 0 {
		var messages []string
		seen := map[string]bool{}
		for _, p := range e.Problems {
			message := p.Message
			if first, _ := utf8.DecodeRuneInString(message); unicode.IsLower(first) && p.Path != "" {
				message = p.Path + ": " + message // it is no sentence by itself
			}
			if !seen[message] {
				messages = append(messages, message)
			}
			seen[message] = true
		}
		detail, d.Problems = strings.ReplaceAll(strings.Join(messages, ". "), ".. ", ". "), e.Problems
	}
	d.Title, d.Detail, d.Description = title, detail, detail
	body, _ := json.Marshal(d) // strings and numbers only
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}
