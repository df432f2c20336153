package server

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"slashbatch/assets"
	"slashbatch/internal/problem"
	"slashbatch/server/endpoint"
)

// assetAsk is what is known of a request over assets' tables beside what its endpoint knows.
type assetAsk struct {
	customer int
	// page is the page of a collection; params are the parameters as they were sent.
	page   assets.Page
	params url.Values
	// batch is the one that the path names.
	batch assets.BatchState
}

// collectionFilters are what q may have, of the columns that a collection has.
var collectionFilters = []string{"space", "string1", "string2", "string3", "number1", "number2", "number3", "manifests"}

// mostPageSize is the longest page of a collection.
const mostPageSize = 500

// assetInput makes a request of an endpoint over assets' tables out of its path and its
// parameters: what is not there is 404, parameters of collections become those of endpoints,
// and a named query becomes the filters that it stands for. It may choose another endpoint of
// the same path.
func (s *Server) assetInput(r *http.Request, spec *endpoint.Spec, customer int, in *endpoint.Input) (*endpoint.Spec, *assetAsk, error) {
	a := &assetAsk{customer: customer, params: in.Params}
	if spec.Name == listQuery {
		in.Vars["customer"] = strconv.Itoa(customer) // one path, however it is spelled
		chosen, err := s.queryInput(r, in, customer)
		return chosen, a, err
	}
	if err := s.listThere(r, spec.Name, customer, in.Vars, a); err != nil {
		return nil, nil, err
	}
	rules := assets.ListRules{PageSize: int64(s.Assets.PageSize), MostPageSize: mostPageSize}
	if e, err := s.Registry.find(spec); err == nil {
		for _, c := range e.Columns() {
			rules.Properties = append(rules.Properties, c.Name)
		}
	}
	for _, name := range collectionFilters {
		if slices.Contains(rules.Properties, name) {
			rules.Filters = append(rules.Filters, name)
		}
	}
	if slices.Contains(rules.Properties, "created") {
		rules.DefaultOrder = "created"
	}
	rules.Properties = slices.DeleteFunc(rules.Properties, func(name string) bool { return name == "asset" })
	var problems problem.List
	in.Params, a.page, problems = assets.TranslateList(in.Params, rules)
	if len(problems) > 0 {
		return nil, nil, badParameters(problems)
	}
	return spec, a, nil
}

// listThere is ErrNotFound where what a list is about is not there.
func (s *Server) listThere(r *http.Request, list string, customer int, vars map[string]string, a *assetAsk) error {
	number := func(name string) int64 {
		n, err := strconv.ParseInt(vars[name], 10, 64)
		if err != nil {
			return -1 // there is none such
		}
		return n
	}
	space := number("space")
	if space > 1<<31-1 {
		space = -1
	}
	ctx, store := r.Context(), s.Assets.Store
	var err error
	switch list {
	case listBatchImages, listBatchAssets:
		a.batch, err = store.Batch(ctx, customer, number("batch"))
	case listImages:
		err = store.HasSpace(ctx, customer, int(space))
	case listAssetBatches:
		err = store.HasAsset(ctx, customer, int(space), vars["image"])
	default:
		_, err = store.CustomerByID(ctx, customer)
	}
	return err
}

// queryInput fills in what a named query selects.
func (s *Server) queryInput(r *http.Request, in *endpoint.Input, customer int) (*endpoint.Spec, error) {
	text, err := s.Assets.Store.Query(r.Context(), customer, in.Vars["name"])
	if errors.Is(err, assets.ErrNotFound) {
		return nil, notFound("the customer has no named query of this name")
	}
	if err != nil {
		return nil, err
	}
	var batches []int64
	if in.Own, batches, err = selected(text, in.Vars[restVar]); err != nil {
		return nil, err
	}
	if batches == nil {
		return s.assetList(listQuery), nil
	}
	pruned, err := s.Assets.Store.Pruned(r.Context(), customer, batches)
	if err != nil {
		return nil, err
	}
	if len(pruned) > 0 {
		return nil, &httpError{Status: http.StatusGone, Detail: "the records of these batches were pruned, so that not all that was in them could be found: " + numbers(pruned)}
	}
	return s.assetList(listQueryBatch), nil
}

// selected is what a named query adds to a request, given its template and its arguments as
// they stand in the path. batches are nil where it is not about batches.
func selected(text, arguments string) (in endpoint.OwnInput, batches []int64, err error) {
	template, err := assets.ParseTemplate(text)
	if err != nil {
		return in, nil, badRequest("the named query cannot be understood: " + err.Error())
	}
	parts, ok := endpoint.RestParts(arguments)
	if !ok {
		return in, nil, badRequest("the path is not well encoded")
	}
	s, err := template.Select(parts)
	if err != nil {
		return in, nil, badRequest(err.Error())
	}
	in = endpoint.OwnInput{Filters: selectionFilters(s), Sort: selectionSort(s), Digest: template.Digest()}
	if s.Batches != nil {
		texts := make([]string, len(s.Batches))
		for i, n := range s.Batches {
			texts[i] = strconv.FormatInt(n, 10)
		}
		in.Bound = map[string]string{"batches": endpoint.TextArray(texts)}
	}
	return in, s.Batches, nil
}

// selectionFilters are what a named query asks of assets, as filters of its endpoint.
func selectionFilters(s assets.Selection) url.Values {
	filters := url.Values{}
	if s.Space != nil {
		filters.Set("space", strconv.FormatInt(*s.Space, 10))
	}
	if s.SpaceName != nil {
		filters.Set("spaceName", *s.SpaceName)
	}
	for i, text := range s.Strings {
		if text != nil {
			filters.Set("string"+strconv.Itoa(i+1), *text)
		}
	}
	for i, n := range s.Numbers {
		if n != nil {
			filters.Set("number"+strconv.Itoa(i+1), strconv.FormatInt(*n, 10))
		}
	}
	if s.Manifests != nil {
		filters["manifests"] = s.Manifests
	}
	return filters
}

// selectionSort is the order of a named query in the words of _sort.
func selectionSort(s assets.Selection) (words []string) {
	for _, term := range s.Order {
		word := term.Property
		if term.Descending {
			word = "-" + word
		}
		words = append(words, word)
	}
	return words
}

func numbers(list []int64) string {
	text := ""
	for i, n := range list {
		if i > 0 {
			text += ", "
		}
		text += strconv.FormatInt(n, 10)
	}
	return text
}
