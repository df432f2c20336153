package blackbox

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"testing"

	"slashbatch/internal/testenv"
)

// Ranges at random places of a large result, of the plain file and of the compressed one,
// are the bytes of those files. Three million rows when the long tests are asked for.
func TestRangesOfALargeResult(t *testing.T) {
	t.Parallel()
	rows := 100_000
	if os.Getenv("SLASHBATCH_TEST_CHAOS") == "full" {
		rows = 3_000_000
	}
	s := start(t, setup{endpoints: []string{fmt.Sprintf(`
name: large
path: /large
query: SELECT n AS id, md5(n::text) AS label, n %% 1000 / 7.0 AS mass FROM generate_series(1, %d) n
key: id
`, rows)}})
	s.post("/large/batch")
	s.eventually("the export is done", func() bool { return s.status("/large/batch/status").Status == "Completed" })
	plain, packed := s.fetched("/large/batch", false), s.fetched("/large/batch", true)
	if n := bytes.Count(plain, []byte("\r\n")); n != rows+1 {
		t.Fatalf("%d lines, want %d", n, rows+1)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	if inflated, err := io.ReadAll(z); err != nil || !bytes.Equal(inflated, plain) {
		t.Fatalf("the compressed file holds %d other bytes than the %d of the plain one (%v)", len(inflated), len(plain), err)
	}
	asked := 0
	for name, whole := range map[string][]byte{"identity": plain, "gzip": packed} {
		for range 100 {
			from := rand.IntN(len(whole)) //nolint:gosec // not a secret
			// Short, long over several blocks, up to the end, and the last bytes.
			to := min(from+rand.IntN(1<<(4+rand.IntN(20))), len(whole)-1) //nolint:gosec // not a secret
			text := fmt.Sprintf("bytes=%d-%d", from, to)
			switch rand.IntN(10) { //nolint:gosec // not a secret
			case 0:
				text, to = fmt.Sprintf("bytes=%d-", from), len(whole)-1
			case 1:
				to = len(whole) - 1
				text = fmt.Sprintf("bytes=-%d", len(whole)-from)
			}
			a := s.get("/large/batch", header("Accept-Encoding", name), header("Range", text)).wantCode(t, http.StatusPartialContent)
			if want := whole[from : to+1]; a.body != string(want) {
				t.Fatalf("%s, %s: %d bytes that are not those of the file (%d)", name, text, len(a.body), len(want))
			}
			asked++
		}
	}
	testenv.Report(t, "ranges: %d at random places of a result of %d rows (%d bytes plain, %d compressed) were the file's bytes", asked, rows, len(plain), len(packed))
}

// fetched is a file, as it is sent.
func (s *service) fetched(path string, compressed bool) []byte {
	s.t.Helper()
	encoding := "identity"
	if compressed {
		encoding = "gzip"
	}
	return []byte(s.get(path, header("Accept-Encoding", encoding)).wantCode(s.t, http.StatusOK).body)
}
