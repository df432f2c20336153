package blackbox

import (
	"net/http"
	"sync"
	"testing"
)

// Eight people open a link at the same moment, over a minute after it was last opened.
func TestLinkOpenedAtOnce(t *testing.T) {
	s := start(t, setup{})
	s.export("/item?_sort=id")
	m := s.mint("/item?_sort=id")
	for round := range 10 {
		for _, table := range []string{"result", "request", "variant"} {
			execute(t, s.db, "UPDATE slashbatch."+table+" SET accessed = now() - interval '2 minutes'")
		}
		codes := make([]int, 8)
		var wg sync.WaitGroup
		for i := range codes {
			wg.Go(func() {
				if a, err := s.try(http.MethodGet, m.URL); err == nil {
					codes[i] = a.code
				}
			})
		}
		wg.Wait()
		for _, code := range codes {
			if code != http.StatusOK {
				later := s.get(m.URL)
				t.Fatalf("round %d: %v; a minute later: %d %s", round, codes, later.code, later.body)
			}
		}
	}
}
