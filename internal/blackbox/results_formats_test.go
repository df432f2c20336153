package blackbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Every format is the same rows, as a file that its programs open, and its status describes it.
func TestFilesOfEachFormat(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	const request = "/group/AB/item?_sort=id"
	want := [][]string{{"1", "AB", "plain"}, {"2", "AB", ""}, {"3", "AB", ""}} // and the mass, which each has in its own way
	seen := map[string]string{}                                                // ETags
	for word, mediaType := range fileTypes {
		t.Run(word, func(t *testing.T) {
			s := s.in(t)
			a := s.waited(request, word).wantHeader(t, "Content-Type", mediaType).wantHeader(t, "Content-Encoding", "")
			a.wantHeader(t, "Content-Disposition", `attachment; filename="group_AB_item_sort=id.`+word+`"`)
			head, rows := table(t, word, a.body)
			if !slices.Equal(head, []string{"id", "grp", "label", "mass"}) || len(rows) != len(want) {
				t.Fatalf("columns %v, rows %v", head, rows)
			}
			for i, row := range rows {
				for j, text := range want[i] {
					if strings.ReplaceAll(row[j], "∅", "") != text {
						t.Errorf("row %d: %v, want %v", i, row, want[i])
					}
				}
			}
			if other := seen[a.header.Get("ETag")]; other != "" {
				t.Errorf("the ETag %s is also that of %s", a.header.Get("ETag"), other)
			}
			seen[a.header.Get("ETag")] = word

			d := s.status(plus(statusOf(request), "_format="+word))
			url := s.url + "/group/AB/item/batch?_format=" + word + "&_sort=id"
			if d.Status != "Completed" || d.URL != url || d.Links.Result != url || d.Links.Status != s.url+"/group/AB/item/batch/status?_format="+word+"&_sort=id" {
				t.Errorf("%s", d.answer.body)
			}
			plain := a.body
			if strings.HasSuffix(word, ".gz") {
				plain = inflated(t, a.body)
			}
			if *d.Rows != 3 || *d.Bytes != int64(len(plain)) || d.SHA256 != digest(plain) {
				t.Errorf("rows %d, bytes %d, sha256 %s of another file", *d.Rows, *d.Bytes, d.SHA256)
			}
			for other := range fileTypes {
				link, want := d.Links.Formats[other], s.url+"/group/AB/item/batch?_format="+other+"&_sort=id"
				if other == word {
					want = ""
				}
				if link != want {
					t.Errorf("links.formats.%s is %q, want %q", other, link, want)
				}
			}
			if again := s.get(strings.TrimPrefix(d.URL, s.url)).wantCode(t, http.StatusOK); again.body != a.body {
				t.Error("the URL of the status gives another file")
			}
			ready := s.do(http.MethodHead, twin(request)+"&_format="+word).wantCode(t, http.StatusOK)
			if ready.header.Get("ETag") != a.header.Get("ETag") || ready.length != int64(len(a.body)) {
				t.Errorf("HEAD tells of another file: %v", ready.header)
			}
		})
	}
	// The file that the run wrote has one key, and so have all the others.
	keys := map[string]bool{}
	for word := range fileTypes {
		keys[s.status(statusOf(request)+"&_format="+word).Key] = true
	}
	if len(keys) != 1 {
		t.Errorf("keys %v, want one", keys)
	}
}

// What is stored as gzip is sent as it is to who accepts that, inflated to others, and as a
// file of its own by name.
func TestEncodingsOfForms(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, word := range []string{"csv", "ndjson", "json"} {
		plain := s.waited("/item?_sort=id", word)
		coded := s.waited("/item?_sort=id", word, zipped).wantHeader(t, "Content-Encoding", "gzip")
		file := s.waited("/item?_sort=id", word+".gz", zipped).wantHeader(t, "Content-Encoding", "").wantHeader(t, "Vary", "")
		if inflated(t, coded.body) != plain.body || file.body != coded.body {
			t.Errorf("%s: other bytes", word)
		}
		tags := []string{plain.header.Get("ETag"), coded.header.Get("ETag"), file.header.Get("ETag")}
		if slices.Sort(tags); len(slices.Compact(tags)) != 3 {
			t.Errorf("%s: the ETags are %v", word, tags)
		}
	}
	for _, word := range []string{"parquet", "xlsx"} {
		a := s.waited("/item?_sort=id", word, zipped).wantHeader(t, "Content-Encoding", "").wantHeader(t, "Vary", "")
		if b := s.waited("/item?_sort=id", word); b.body != a.body {
			t.Errorf("%s: other bytes to who does not accept gzip", word)
		}
	}
}

// Parts of a file can be had in every form, and only of the file that the client has.
func TestRangesOfForms(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for word := range fileTypes {
		for _, with := range [][]func(*http.Request){nil, {zipped}} {
			whole := s.waited("/big", word, with...)
			n, target := len(whole.body), "/big/batch?_format="+word
			for spec, want := range map[string][2]int{
				"bytes=0-9": {0, 10}, "bytes=-100": {n - 100, n}, fmt.Sprintf("bytes=%d-", n-7): {n - 7, n},
				fmt.Sprintf("bytes=%d-%d", n/2, n/2+5000): {n / 2, n/2 + 5001},
			} {
				for _, ifRange := range []string{"", whole.header.Get("ETag")} {
					a := s.get(target, append(with, header("Range", spec), header("If-Range", ifRange))...).wantCode(t, http.StatusPartialContent)
					if a.body != whole.body[want[0]:want[1]] {
						t.Errorf("%s, %s: other bytes than in the whole file", word, spec)
					}
				}
			}
			other := s.get(target, append(with, header("Range", "bytes=0-9"), header("If-Range", `"other"`))...).wantCode(t, http.StatusOK)
			if other.body != whole.body {
				t.Errorf("%s: not the whole file to who has part of another", word)
			}
			s.get(target, append(with, header("Range", fmt.Sprintf("bytes=%d-", n)))...).wantCode(t, http.StatusRequestedRangeNotSatisfiable)
			s.get(target, append(with, header("If-None-Match", whole.header.Get("ETag")))...).wantCode(t, http.StatusNotModified)
		}
	}
}
