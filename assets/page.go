package assets

import (
	"fmt"
	"maps"
	"net/url"
)

// Page is which part of a list a collection shows.
type Page struct {
	// Number counts from 1; 0: the request says by _limit, _offset or _after what it wants,
	// and there are no pages.
	Number int64
	// Size is how many members a page has, the last one apart.
	Size int64
}

// Offset is how many members are before the page.
func (p Page) Offset() int64 { return max(p.Number-1, 0) * p.Size }

// View is a hydra PartialCollectionView: where a page is among the others. Links that lead
// nowhere are empty.
type View struct {
	ID         string `json:"@id"`
	Type       string `json:"@type"`
	First      string `json:"first,omitempty"`
	Previous   string `json:"previous,omitempty"`
	Next       string `json:"next,omitempty"`
	Last       string `json:"last,omitempty"`
	Page       int64  `json:"page"`
	PageSize   int64  `json:"pageSize"`
	TotalPages int64  `json:"totalPages"`
}

// View returns the view of the page of a list with total members, or nil if there are no
// more than the page has. Path is the list's URL, ready to be in a link; its links keep the
// other parameters, as the client gave them.
func (p Page) View(path string, total int64, parameters url.Values) *View {
	if p.Number < 1 || p.Size < 1 || total <= min(max(total-p.Offset(), 0), p.Size) {
		return nil
	}
	rest := maps.Clone(parameters)
	delete(rest, paramPage)
	delete(rest, paramPageSize)
	query := rest.Encode()
	if query != "" {
		query = "&" + query
	}
	link := func(number int64) string {
		return fmt.Sprintf("%s?%s=%d&%s=%d%s", path, paramPage, number, paramPageSize, p.Size, query)
	}
	pages := (total-1)/p.Size + 1
	v := &View{ID: link(p.Number), Type: "PartialCollectionView", Page: p.Number, PageSize: p.Size, TotalPages: pages}
	if p.Number > 1 {
		// From behind the end, back to where there is something.
		v.First, v.Previous = link(1), link(min(p.Number-1, pages))
	}
	if p.Number < pages {
		v.Next, v.Last = link(p.Number+1), link(pages)
	}
	return v
}
