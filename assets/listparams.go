package assets

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"slashbatch/internal/problem"
)

// ListRules are what a list of assets or of batches offers to collections' parameters.
type ListRules struct {
	// PageSize is how long a page is that the request does not say, MostPageSize the longest
	// it may ask for.
	PageSize, MostPageSize int64
	// Properties are what it can be ordered by.
	Properties []string
	// Filters are what q can ask for, of: space, string1 to string3, number1 to number3,
	// manifests.
	Filters []string
	// DefaultOrder is what an order without a name means, with a - before it: descending;
	// empty: the endpoint's own.
	DefaultOrder string
}

// Parameters of collections, which the endpoints know by other names or not at all.
const (
	paramPage, paramPageSize             = "page", "pageSize"
	paramOrderBy, paramOrderByDescending = "orderBy", "orderByDescending"
	paramQ, paramManifests               = "q", "manifests"
	paramSort                            = "_sort"
	paramLimit, paramOffset, paramFrom   = "_limit", "_offset", "_after"
	couldNotParse                        = "Could not parse query"
	lettersOfOrder                       = 2 // a shorter name means the default
)

// TranslateList turns the parameters of a collection into those of an endpoint: page and
// pageSize become _limit and _offset, orderBy and orderByDescending become _sort, and q
// becomes filters, of which the same ones beside it win. All others stay as they are.
//
// Without page and pageSize there is no _limit and no _offset in translated, so that a batch
// twin exports all; for a page the caller takes page.Size and page.Offset.
func TranslateList(params url.Values, rules ListRules) (translated url.Values, page Page, problems problem.List) {
	t := listTranslation{given: params, rules: rules, to: url.Values{}}
	for name, values := range params {
		if !slices.Contains([]string{paramPage, paramPageSize, paramOrderBy, paramOrderByDescending, paramQ}, name) {
			t.to[name] = slices.Clone(values)
		}
	}
	page = t.page()
	t.order()
	t.filter()
	return t.to, page, t.problems
}

type listTranslation struct {
	given, to url.Values
	rules     ListRules
	problems  problem.List
}

// one is the value of a parameter that may be given once.
func (t *listTranslation) one(name string) string {
	if len(t.given[name]) > 1 {
		t.problems.Add(name, "is given %d times: expected it once", len(t.given[name]))
	}
	return t.given.Get(name)
}

// not tells that a parameter is given together with another that means the same.
func (t *listTranslation) not(name string, natives ...string) {
	for _, native := range natives {
		if t.given.Has(native) {
			t.problems.Add(name, "cannot be given together with %s: leave one of them out", native)
		}
	}
}

// page reads which page is asked for. What is no number is passed over, as are numbers
// that no page has.
func (t *listTranslation) page() Page {
	number, errNumber := strconv.ParseInt(t.one(paramPage), 10, 64)
	size, errSize := strconv.ParseInt(t.one(paramPageSize), 10, 64)
	asked := errNumber == nil || errSize == nil
	if errSize != nil || size < 1 || size > t.rules.MostPageSize {
		size = t.rules.PageSize
	}
	// Behind this page everything is empty, and offsets would not be numbers any more.
	last := math.MaxInt64 / max(size, 1)
	page := Page{Number: min(max(number, 1), last), Size: size}
	if errNumber != nil {
		page.Number = 1
	}
	switch {
	case asked:
		name := paramPage
		if errNumber != nil {
			name = paramPageSize
		}
		t.not(name, paramLimit, paramOffset, paramFrom)
		t.to.Set(paramLimit, strconv.FormatInt(page.Size, 10))
		if page.Offset() > 0 {
			t.to.Set(paramOffset, strconv.FormatInt(page.Offset(), 10))
		}
	case t.given.Has(paramLimit) || t.given.Has(paramOffset) || t.given.Has(paramFrom):
		page.Number = 0
	}
	return page
}

// order reads an order; orderBy wins over orderByDescending.
func (t *listTranslation) order() {
	name := paramOrderBy
	if !t.given.Has(name) {
		name = paramOrderByDescending
	}
	if !t.given.Has(name) {
		return
	}
	t.not(name, paramSort)
	value := t.one(name)
	sort := t.rules.DefaultOrder
	if len(value) >= lettersOfOrder {
		if sort = t.property(value); sort == "" {
			t.problems.Add(name, "cannot order by %s; known: %s", brief(value), strings.Join(t.rules.Properties, ", "))
			return
		}
	}
	if name == paramOrderByDescending && sort != "" {
		sort = "-" + strings.TrimPrefix(sort, "-")
	}
	if sort != "" {
		t.to.Set(paramSort, sort)
	}
}

// olderNames are those of the tags in assets of old.
var olderNames = map[string]string{
	"reference1": "string1", "reference2": "string2", "reference3": "string3",
	"numberReference1": "number1", "numberReference2": "number2", "numberReference3": "number3",
}

// property is the property of a name, whose first letter may be a capital, or nothing.
func (t *listTranslation) property(name string) string {
	name = strings.ToLower(name[:1]) + name[1:]
	if now, older := olderNames[name]; older {
		name = now
	}
	for _, property := range t.rules.Properties {
		if strings.ToLower(property[:1])+property[1:] == name {
			return property
		}
	}
	return ""
}

// filter reads q and the lists among the filters beside it.
func (t *listTranslation) filter() {
	if slices.Contains(t.rules.Filters, paramManifests) && t.given.Has(paramManifests) {
		manifests := betweenCommas(strings.Join(t.given[paramManifests], ","))
		if len(manifests) == 0 {
			t.problems.Add(paramManifests, "expected names, separated by commas")
		}
		t.to[paramManifests] = manifests
	}
	text := t.one(paramQ)
	if text == "" {
		return
	}
	object, err := jsonObject([]byte(text))
	if err != nil {
		t.problems.Add(paramQ, couldNotParse)
		return
	}
	misread := false
	for name, value := range properties(object, everything, twice(&t.problems, paramQ+".")) {
		if !slices.Contains(t.rules.Filters, name) {
			t.problems.Add(paramQ, "there is no filter %s; %s", brief(name), t.knownFilters())
			continue
		}
		values, reason := filterValues(name, value)
		if reason != "" && !misread {
			misread = true
			t.problems.Add(paramQ, couldNotParse)
		}
		if reason != "" {
			t.problems.Add(paramQ+"."+name, "%s", reason)
		} else if len(values) > 0 && !t.given.Has(name) {
			t.to[name] = values
		}
	}
}

func (t *listTranslation) knownFilters() string {
	if len(t.rules.Filters) == 0 {
		return "this list has none"
	}
	return "known: " + strings.Join(t.rules.Filters, ", ")
}

// filterValues are the values of a filter in q, none for null; any of several may match.
func filterValues(name string, value json.RawMessage) (values []string, reason string) {
	kind := jsonKind(value)
	switch {
	case kind == "null":
		return nil, ""
	case strings.HasPrefix(name, "string"):
		text, reason := jsonText(value)
		return []string{text}, reason
	case name != paramManifests && kind != "a number":
		return nil, "expected a whole number, got " + kind
	case name != paramManifests:
		n, reason := wholeNumber(string(value), 64)
		return []string{strconv.FormatInt(n, 10)}, reason
	case kind != "a list":
		return nil, "expected a list of texts, got " + kind
	}
	for i, element := range elements(value) {
		text, reason := jsonText(element)
		if reason != "" {
			return nil, fmt.Sprintf("element %d: %s", i, reason)
		}
		values = append(values, text)
	}
	if len(values) == 0 {
		return nil, "expected at least one"
	}
	return values, ""
}
