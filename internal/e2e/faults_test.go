package e2e

import (
	"crypto/md5" //nolint:gosec // what the rows are made of
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// wanted is one export that was asked for.
type wanted struct {
	user, path string
	group      int
}

// wants returns n exports of different groups, of all users in turn.
func (f *fleet) wants(endpoint string, n int) []wanted {
	list := make([]wanted, n)
	for i := range list {
		list[i] = wanted{f.users[i%len(f.users)], fmt.Sprintf("/%s/%d/batch", endpoint, i+1), i + 1}
	}
	return list
}

// ask queues exports; a service that is away for a moment is asked again, as
// its answer says.
func (f *fleet) ask(t *testing.T, server *process, list []wanted) {
	t.Helper()
	for _, w := range list {
		eventually(t, 20*time.Second, "POST "+w.path, func() bool {
			code, body := f.do(t, http.MethodPost, server.address, w.user, w.path)
			if code != http.StatusSeeOther && code != http.StatusServiceUnavailable {
				t.Fatalf("POST %s: %d %s", w.path, code, body)
			}
			return code == http.StatusSeeOther
		})
	}
}

// state is what the status of an export says.
type state struct {
	Status, SHA256 string
	Rows           int
}

func (f *fleet) state(t *testing.T, server *process, w wanted) (code int, s state) {
	t.Helper()
	code, body := f.do(t, http.MethodGet, server.address, w.user, w.path+"/status")
	if code != http.StatusOK {
		return code, s
	}
	if err := json.Unmarshal(body, &s); err != nil {
		t.Errorf("status of %s: %v %s", w.path, err, body)
	}
	return code, s
}

// file downloads an export without following anything; err is that of a
// download that broke off, as a client sees it.
func (f *fleet) file(server *process, w wanted) (code int, body []byte, err error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+server.address+w.path, nil)
	if err != nil {
		return 0, nil, err
	}
	// It only looks: a GET of a page's own, from elsewhere, queues nothing.
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	r.Header.Set("Sec-Fetch-Dest", "image")
	r.SetBasicAuth(w.user, "key-"+w.user)
	response, err := noFollow.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

// whole tells what is wrong with the file of a group, in any order of rows.
func whole(group int, body []byte) string {
	want := make([]string, 0, 2002)
	for i := range 2000 {
		want = append(want, fmt.Sprintf("%d,%x", group*100000+i+1, md5.Sum(fmt.Append(nil, i+1)))) //nolint:gosec // see above
	}
	want = append(want, "id,label", "")
	got := strings.Split(string(body), "\r\n")
	if len(got) != len(want) {
		return fmt.Sprintf("%d lines, want %d", len(got), len(want))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		return "other rows"
	}
	return ""
}

// watch polls statuses and files until stop, whatever is broken meanwhile. It
// finds fault with every answer that is not true: a state that nothing led to,
// a file that is not whole. stop tells what was seen.
func (f *fleet) watch(t *testing.T, server *process, list []wanted) (stop func() string) {
	t.Helper()
	done, seen := make(chan struct{}), map[string]int{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			w := list[i%len(list)]
			code, s := f.state(t, server, w)
			switch {
			case code == http.StatusOK && slices.Contains([]string{"Pending", "InProgress", "Completed"}, s.Status):
				seen[s.Status]++
			case code == http.StatusServiceUnavailable:
				seen["503"]++
			default:
				t.Errorf("status of %s while something is broken: %d %+v", w.path, code, s)
			}
			code, body, err := f.file(server, w)
			switch {
			case err != nil:
				seen["broken off"]++ // and the client was told
			case code == http.StatusOK:
				seen["file"]++
				if fault := whole(w.group, body); fault != "" {
					t.Errorf("file of %s: %s", w.path, fault)
				}
			case code != http.StatusSeeOther && code != http.StatusServiceUnavailable:
				t.Errorf("GET %s while something is broken: %d %s", w.path, code, body)
			}
		}
	})
	end := sync.OnceFunc(func() { close(done); wg.Wait() })
	t.Cleanup(end)
	return func() string {
		end()
		return fmt.Sprint(seen)
	}
}

// settled waits for all to complete, by itself, and checks what there is then:
// whole files that are what their status says, one job and one result each.
func (f *fleet) settled(t *testing.T, limit time.Duration, server *process, list []wanted) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(50 * time.Millisecond) {
		open := 0
		for _, w := range list {
			if code, s := f.state(t, server, w); code == http.StatusOK && s.Status == "Failed" {
				t.Fatalf("%s failed", w.path)
			} else if code != http.StatusOK || s.Status != "Completed" {
				open++
			}
		}
		if open == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d are not complete after %v", open, len(list), limit)
		}
	}
	for _, w := range list {
		_, s := f.state(t, server, w)
		code, body, err := f.file(server, w)
		if fault := whole(w.group, body); err != nil || code != http.StatusOK || fault != "" {
			t.Errorf("file of %s: %d %v %s", w.path, code, err, fault)
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(body)); s.SHA256 != sum || s.Rows != 2000 {
			t.Errorf("status of %s: %+v, the file has 2000 rows and SHA-256 %s", w.path, s, sum)
		}
	}
	jobs, results, requests := f.jobs(t), f.count(t, "result"), f.count(t, "request")
	if jobs != len(list) || results != len(list) || requests != len(list) {
		t.Errorf("%d jobs, %d results, %d requests; want %d of each", jobs, results, requests, len(list))
	}
}

// objects counts the objects of results in the store.
func (f *fleet) objects(t *testing.T) (n int) {
	t.Helper()
	for _, err := range f.store.List(t.Context(), "results/") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
