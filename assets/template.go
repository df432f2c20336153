package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Template is a parsed named query: which assets of a customer it selects, by values that
// stand in the template or come as arguments, and in which order.
//
//	space=p1&s1=p2&n1=5&batch=p3&manifest=p4&assetOrder=n1;s2 desc&#=literal
//
// pN is the N-th argument. "#" appends a literal behind the arguments. A literal that
// begins with a p is quoted. A field that stands twice has the last value.
type Template struct {
	operands map[templateField]operand
	appended []string
	order    []Term
}

// templateField is what a template can select by.
type templateField string

// The fields, by their keys in templates.
const (
	fieldSpace     templateField = "space"
	fieldSpaceName templateField = "spacename"
	fieldBatch     templateField = "batch"
	fieldManifest  templateField = "manifest"
	fieldS1        templateField = "s1"
	fieldS2        templateField = "s2"
	fieldS3        templateField = "s3"
	fieldN1        templateField = "n1"
	fieldN2        templateField = "n2"
	fieldN3        templateField = "n3"
)

var templateFields = []templateField{
	fieldSpace, fieldSpaceName, fieldBatch, fieldManifest, fieldS1, fieldS2, fieldS3, fieldN1, fieldN2, fieldN3,
}

// Keys that are no fields. canvas is an older name of assetOrder.
const (
	keyOrder, keyCanvas, keyAppend = "assetOrder", "canvas", "#"
)

// operand is the value of a field: an argument, counted from 1, or a literal as parseOperand
// made it.
type operand struct {
	argument int
	literal  any
}

// Term is one term of an order: a tag, string1…3 or number1…3.
type Term struct {
	Property   string
	Descending bool
}

// orderProperties are the properties that an order names.
var orderProperties = map[string]string{
	"s1": "string1", "s2": "string2", "s3": "string3", "n1": "number1", "n2": "number2", "n3": "number3",
}

// TemplateError is what is wrong with a template, all of it.
type TemplateError struct{ Problems []string }

func (e *TemplateError) Error() string { return strings.Join(e.Problems, ". ") }

// ParseTemplate reads a template. Elements that are no field, as of other uses of the same
// template, are passed over, and so are fields without a value, but for the batch: without
// it the query would select every asset. What is meant for a field and cannot be understood
// is refused. The error is a *TemplateError.
func ParseTemplate(text string) (*Template, error) {
	if strings.TrimSpace(text) == "" {
		return nil, &TemplateError{[]string{"A template is required"}}
	}
	if reason := unstorable(text); reason != "" {
		return nil, &TemplateError{[]string{"The template " + reason}}
	}
	t := &Template{operands: map[templateField]operand{}}
	var problems []string
	for element := range strings.SplitSeq(text, "&") {
		problems = append(problems, t.add(element)...)
	}
	if len(problems) > 0 {
		return nil, &TemplateError{problems}
	}
	return t, nil
}

// add takes one element, or says what is wrong with it.
func (t *Template) add(element string) []string {
	// Of a value that has a = itself, all of it counts.
	key, value, _ := strings.Cut(element, "=")
	field := templateField(key)
	known := slices.Contains(templateFields, field)
	ordering := key == keyOrder || key == keyCanvas
	switch {
	case !known && strings.HasPrefix(strings.ToLower(strings.TrimSpace(key)), string(fieldBatch)):
		return []string{fmt.Sprintf("%s is no field of a template: write batch, without which the query would select every asset", brief(key))}
	case !known && !ordering && key != keyAppend:
		return nil
	case value == "" && field == fieldBatch:
		return []string{"batch has no value: expected numbers of batches, or an argument such as p1, without which the query would select every asset"}
	case value == "":
		return nil
	case ordering:
		return t.sort(value)
	}
	literal, quoted, ok := unquote(value)
	if !ok {
		return []string{fmt.Sprintf("%s begins with a quote that is not closed: %s (a value cannot have a & in it)", key, brief(value))}
	}
	if key == keyAppend {
		t.appended = append(t.appended, literal)
		return nil
	}
	o, problem := parseOperand(field, literal, quoted)
	if problem != "" {
		return []string{problem}
	}
	t.operands[field] = o
	return nil
}

// unquote takes a pair of quotes, of either kind, away; ok is false if there is only one.
func unquote(value string) (literal string, quoted, ok bool) {
	if quote := value[0]; quote != '"' && quote != '\'' {
		return value, false, true
	}
	last := len(value) - 1
	if last == 0 || value[last] != value[0] {
		return "", false, false
	}
	return value[1:last], true, true
}

// mostArguments is more than any template needs.
const mostArguments = 100

// parseOperand reads pN or a literal. What begins with a p must be quoted to be a literal,
// but for the letter by itself.
func parseOperand(field templateField, value string, quoted bool) (o operand, problem string) {
	if value == "" { // in quotes
		return operand{}, fmt.Sprintf("%s has an empty value: leave it out to ask for anything", field)
	}
	digits, begins := strings.CutPrefix(value, "p")
	if quoted || !begins || digits == "" {
		literal, err := parseOperandValue(field, value)
		if err != nil {
			return operand{}, fmt.Sprintf("%s: %v", field, err)
		}
		return operand{literal: literal}, ""
	}
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
	if err != nil || n < 1 || n > mostArguments {
		return operand{}, fmt.Sprintf("Could not parse template element parameter '%s=%s': expected p and a number from 1 to %d; text that begins with a p is put in quotes", field, briefly(value), mostArguments)
	}
	return operand{argument: int(n)}, ""
}

// sort reads an order: fields separated by semicolons, each with a direction behind a blank
// or a plus. The last order of a template counts.
func (t *Template) sort(value string) (problems []string) {
	t.order = nil
	for part := range strings.SplitSeq(value, ";") {
		words := strings.FieldsFunc(part, func(r rune) bool { return r == ' ' || r == '+' })
		if len(words) == 0 {
			continue
		}
		property, ok := orderProperties[words[0]]
		descending := len(words) == 2 && strings.EqualFold(words[1], "desc")
		if !ok || len(words) > 2 || len(words) == 2 && !descending && !strings.EqualFold(words[1], "asc") {
			problems = append(problems, fmt.Sprintf("%s is no order: expected s1, s2, s3, n1, n2 or n3, then nothing, or a blank and asc or desc", brief(part)))
			continue
		}
		// A second term of the same property could change nothing.
		if !slices.ContainsFunc(t.order, func(earlier Term) bool { return earlier.Property == property }) {
			t.order = append(t.order, Term{property, descending})
		}
	}
	return problems
}

// Digest is a SHA-256, in hexadecimal, of what the template means: templates that select the
// same for the same arguments, but are written differently, have mostly the same one, and
// others never have.
func (t *Template) Digest() string {
	type selector struct {
		Field    templateField
		Argument int
		Literal  any
	}
	var selectors []selector
	for _, field := range slices.Sorted(maps.Keys(t.operands)) {
		o := t.operands[field]
		selectors = append(selectors, selector{field, o.argument, o.literal})
	}
	meaning, err := json.Marshal([]any{selectors, t.appended, t.order})
	if err != nil {
		panic(err) // texts and numbers, which JSON has
	}
	sum := sha256.Sum256(meaning)
	return hex.EncodeToString(sum[:])
}

// unstorable says why PostgreSQL would not take a text, or nothing.
func unstorable(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "is not valid UTF-8"
	case strings.ContainsRune(text, 0):
		return "has a NUL character, which cannot be stored"
	}
	return ""
}

// brief quotes what somebody sent for a message, the beginning of it if it is long.
func brief(text string) string { return "'" + briefly(text) + "'" }

// briefly is brief without quotes.
func briefly(text string) string {
	const most = 60
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}
