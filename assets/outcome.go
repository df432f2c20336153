package assets

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"slashbatch/internal/problem"
)

// The words of Outcome.Status.
const (
	// OutcomeCompleted and OutcomeError end the wait for a member.
	OutcomeCompleted = "completed"
	OutcomeError     = "error"
	// OutcomeWaiting says that somebody is still working at it.
	OutcomeWaiting = "waiting"
)

// Outcome is what an ingester reports of one member of a batch.
type Outcome struct {
	Space int    `json:"space"`
	Key   string `json:"id"`
	// Status is OutcomeCompleted, OutcomeError or OutcomeWaiting.
	Status string `json:"status"`
	// Error says why, with OutcomeError only; it may be empty even then.
	Error string `json:"error,omitempty"`
	// Width and Height are pixels, Duration milliseconds; nil: not told.
	Width    *int `json:"width,omitzero"`
	Height   *int `json:"height,omitzero"`
	Duration *int `json:"duration,omitzero"`
}

// mostErrorCharacters is how much of the text of an error is kept.
const mostErrorCharacters = 4000

// ParseOutcome reads the outcome of one member, which the URL names: Space and Key are zero
// unless the body names it, too.
func ParseOutcome(body []byte) (Outcome, problem.List) {
	var problems problem.List
	whole, err := jsonObject(body)
	if err != nil {
		problems.Add("", `expected an outcome such as {"status": "completed"}: %v`, err)
		return Outcome{}, problems
	}
	o := readOutcome(whole, "", &problems)
	if len(problems) > 0 {
		return Outcome{}, problems
	}
	return o, nil
}

// ParseOutcomes reads the outcomes of up to most members, 0: of any number: a hydra collection
// with a list of them as its "member", or the list by itself. One that is there again with the
// same outcome is dropped. With problems there are no outcomes.
func ParseOutcomes(body []byte, most int) ([]Outcome, problem.List) {
	var problems problem.List
	list, err := outcomeList(body, &problems)
	if err != nil {
		problems.Add("", `expected outcomes such as {"member": [{"space": 1, "id": "a", "status": "completed"}]}: %v`, err)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	var outcomes []Outcome
	count, seen := 0, map[outcomeID]Outcome{}
	for i, element := range elements(list) {
		if count++; most > 0 && count > most {
			continue
		}
		place := fmt.Sprintf("member[%d]", i)
		if kind := jsonKind(element); kind != "an object" {
			problems.Add(place, "expected an object, got %s", kind)
			continue
		}
		before := len(problems)
		o := readOutcome(element, place+".", &problems)
		if len(problems) == before {
			o.checkNamed(place+".", &problems)
		}
		if len(problems) > before {
			continue
		}
		earlier, again := seen[outcomeID{o.Space, o.Key}]
		switch {
		case !again:
			seen[outcomeID{o.Space, o.Key}] = o
			outcomes = append(outcomes, o)
		case !o.equal(earlier):
			problems.Add(place, "Id:%s,Space:%d is there twice, with different outcomes: expected one", o.Key, o.Space)
		}
	}
	if count == 0 {
		problems.Add("member", "Members cannot be empty")
	}
	if most > 0 && count > most {
		problems.Add("member", "there are %d outcomes: expected at most %d", count, most)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return outcomes, nil
}

// outcomeID is what an outcome is of.
type outcomeID struct {
	space int
	key   string
}

// outcomeList is the list in a body.
func outcomeList(body []byte, problems *problem.List) (json.RawMessage, error) {
	list, err := jsonValue(body)
	if err != nil {
		return nil, err
	}
	if jsonKind(list) == "an object" {
		whole := list
		list = json.RawMessage("[]")
		for _, value := range properties(whole, known("member"), twice(problems, "")) {
			list = value
		}
	}
	switch kind := jsonKind(list); kind {
	case "a list":
		return list, nil
	case "null":
		return json.RawMessage("[]"), nil
	default:
		return nil, fmt.Errorf("got %s instead of the list", kind)
	}
}

// readOutcome reads an outcome; prefix comes before the names of its properties in problems.
func readOutcome(object json.RawMessage, prefix string, problems *problem.List) (o Outcome) {
	wanted := known("space", "id", "status", "error", "width", "height", "duration")
	hasStatus := false
	for name, value := range properties(object, wanted, twice(problems, prefix)) {
		if jsonKind(value) == "null" {
			continue
		}
		reason := ""
		switch name {
		case "status":
			hasStatus = true
			o.Status, reason = readStatus(value)
		case "id":
			o.Key, reason = jsonText(value)
		case "error":
			o.Error, reason = readError(value)
		default:
			reason = o.readNumber(name, value)
		}
		if reason != "" {
			problems.Add(prefix+name, "%s", reason)
		}
	}
	if !hasStatus {
		problems.Add(prefix+"status", "is missing: expected %s, %s or %s", OutcomeCompleted, OutcomeError, OutcomeWaiting)
	}
	if o.Error != "" && (o.Status == OutcomeCompleted || o.Status == OutcomeWaiting) {
		problems.Add(prefix+"error", "only a status of %s has an error, and this is %s: leave one of them out", OutcomeError, o.Status)
	}
	return o
}

func readStatus(value json.RawMessage) (status, reason string) {
	status, reason = jsonText(value)
	if reason == "" && status != OutcomeCompleted && status != OutcomeError && status != OutcomeWaiting {
		reason = fmt.Sprintf("expected %s, %s or %s, got %s", OutcomeCompleted, OutcomeError, OutcomeWaiting, brief(status))
	}
	return status, reason
}

// readError reads what went wrong. Nothing that it may contain is a reason to lose it: what
// cannot be stored is replaced, and what is too long is cut.
func readError(value json.RawMessage) (text, reason string) {
	if kind := jsonKind(value); kind != "a text" {
		return "", "expected a text, got " + kind
	}
	if err := json.Unmarshal(value, &text); err != nil { // replaces what is not UTF-8
		return "", "is no text: " + err.Error()
	}
	text = strings.ReplaceAll(text, "\x00", string(utf8.RuneError))
	characters := 0
	for at := range text {
		if characters++; characters > mostErrorCharacters {
			return text[:at], ""
		}
	}
	return text, ""
}

// readNumber takes a number, none of which is negative.
func (o *Outcome) readNumber(name string, value json.RawMessage) (reason string) {
	if kind := jsonKind(value); kind != "a number" {
		return "expected a whole number, got " + kind
	}
	wide, reason := wholeNumber(string(value), 32)
	if reason == "" && wide < 0 {
		reason = fmt.Sprintf("expected 0 or more, got %d", wide)
	}
	n := int(wide)
	switch name {
	case "space":
		o.Space = n
	case "width":
		o.Width = &n
	case "height":
		o.Height = &n
	case "duration":
		o.Duration = &n
	}
	return reason
}

// checkNamed tells what is missing of the name of the member.
func (o *Outcome) checkNamed(prefix string, problems *problem.List) {
	if o.Space == 0 {
		problems.Add(prefix+"space", "Space cannot be empty")
	}
	if strings.TrimSpace(o.Key) == "" {
		problems.Add(prefix+"id", "Asset Id cannot be empty")
	}
}

// equal reports whether two outcomes say the same.
func (o *Outcome) equal(other Outcome) bool {
	same := func(a, b *int) bool { return a == b || a != nil && b != nil && *a == *b }
	return o.Status == other.Status && o.Error == other.Error &&
		same(o.Width, other.Width) && same(o.Height, other.Height) && same(o.Duration, other.Duration)
}
