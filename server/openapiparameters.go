package server

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"slashbatch/server/endpoint"
)

// pathParameter describes a variable of the path. A pattern holds for the canonical form
// of a value, so it is told as a pattern only where that is the value itself.
func pathParameter(p endpoint.PathParameterDocument, example string) *oasParameter {
	out := &oasParameter{Name: p.Name, In: "path", Required: true, Schema: valueSchema(p.Type)}
	matching := ""
	switch {
	case p.Pattern == "":
	case p.Type == string(endpoint.Text):
		out.Schema.Pattern = "^(?:" + p.Pattern + ")$"
	default:
		matching = "matching " + p.Pattern
	}
	out.Description = sentences(p.Description, expected(p.Expected), matching)
	if example != "" {
		out.Example = exampleValue(out.Schema, []string{example})
	}
	return out
}

// expected leaves out what goes without saying.
func expected(phrase string) string {
	if phrase == "text" {
		return ""
	}
	return phrase
}

// operatorMeaning says what a filter does, by its operator.
var operatorMeaning = map[string]string{
	"min-": "more than this", "max-": "less than this", "mineq-": "this or more", "maxeq-": "this or less",
	"exists-": "whether there is a value",
}

var matchMeaning = map[string]string{
	endpoint.MatchAny: "has this among its values", endpoint.MatchPrefix: "begins with this", endpoint.MatchContains: "contains this", endpoint.MatchFulltext: "has these words",
}

// filterParameters are those of one property, one for each operator.
func filterParameters(f endpoint.FilterDocument, examples map[string][]string) []*oasParameter {
	var list []*oasParameter
	for _, op := range f.Operators {
		p := &oasParameter{Name: op + f.Name, In: "query", Schema: valueSchema(f.Type)}
		switch op {
		case "=":
			p.Name, p.Schema = f.Name, &oasSchema{Type: "array", Items: p.Schema}
			p.Description = sentences(f.Description, matchMeaning[f.Match], expected(f.Expected), "given several times: any of them")
		case "exists-":
			p.Schema = valueSchema(string(endpoint.Bool))
			p.Description = sentences(f.Description, operatorMeaning[op])
		default:
			p.Description = sentences(f.Description, operatorMeaning[op], expected(f.Expected))
		}
		if values := examples[p.Name]; len(values) > 0 {
			p.Example = exampleValue(p.Schema, values)
		}
		list = append(list, p)
	}
	return list
}

// directiveParameter describes a parameter that begins with _.
func directiveParameter(d endpoint.DirectiveDocument, examples map[string][]string) *oasParameter {
	p := &oasParameter{Name: d.Name, In: "query", Description: sentences(d.Description), Schema: valueSchema(d.Type)}
	if d.Type == string(endpoint.Int) {
		least := int64(0)
		p.Schema.Minimum = &least
	}
	if d.Type != string(endpoint.Bool) {
		for _, word := range d.Words {
			p.Schema.Enum = append(p.Schema.Enum, word)
		}
	}
	if d.Repeatable {
		p.Schema = &oasSchema{Type: "array", Items: p.Schema}
	}
	if values := examples[p.Name]; len(values) > 0 {
		p.Example = exampleValue(p.Schema, values)
	}
	return p
}

// exampleValue is the values of an example as JSON of the parameter's type.
func exampleValue(schema *oasSchema, values []string) any {
	switch schema.Type {
	case "array":
		var list []any
		for _, value := range values {
			list = append(list, exampleValue(schema.Items, []string{value}))
		}
		return list
	case "integer", "number":
		if number := json.Number(values[0]); json.Valid([]byte(number)) {
			return number
		}
	case "boolean":
		if value, err := strconv.ParseBool(values[0]); err == nil {
			return value
		}
	}
	return values[0]
}

// sentences joins what there is of them, each as a sentence of its own.
func sentences(texts ...string) string {
	var list []string
	for _, text := range texts {
		if text == "" {
			continue
		}
		first, size := utf8.DecodeRuneInString(text)
		list = append(list, string(unicode.ToUpper(first))+strings.TrimSuffix(text[size:], ".")+".")
	}
	return strings.Join(list, " ")
}
