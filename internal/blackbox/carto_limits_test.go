package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

func tooLarge(bytes int) string {
	return fmt.Sprintf("Your payload is too large: %d bytes. Max size allowed is 16384 bytes (16kb). Are you trying to import data?. "+
		"Please, check out import api http://docs.cartodb.com/cartodb-platform/import-api/", bytes)
}

// Section 5.2, as forms.
func TestCartoPayload(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	send := func(s site, fields url.Values) answer {
		return s.ask(http.MethodPost, jobsPath, as(vizzuality), form(fields.Encode()))
	}
	letters := func(n int) string { return strings.Repeat("a", n) }
	t.Run("C-012 one byte too many", func(t *testing.T) {
		send(s.in(t), url.Values{"query": {letters(16373)}}).wantError(t, http.StatusBadRequest, tooLarge(16385))
	})
	t.Run("C-013 just short enough", func(t *testing.T) {
		s := s.in(t)
		if j := s.job(vizzuality, send(s, url.Values{"query": {letters(16372)}}).wantCode(t, http.StatusCreated)); j.JobID == "" || j.text(t) != letters(16372) {
			t.Errorf("%s", clip(j.answer.body))
		}
	})
	t.Run("C-014 array", func(t *testing.T) {
		send(s.in(t), url.Values{"query[0]": {letters(16373)}, "query[1]": {"select 1"}}).wantError(t, http.StatusBadRequest, tooLarge(16398))
	})
	t.Run("C-015 with fallbacks", func(t *testing.T) {
		send(s.in(t), url.Values{
			"query[query][0][query]": {letters(16373)}, "query[query][0][onsuccess]": {t4 + " limit 1"},
			"query[query][1][query]": {t4 + " limit 2"}, "query[query][1][onsuccess]": {t4 + " limit 3"},
		}).wantError(t, http.StatusBadRequest, tooLarge(16561))
	})
	// Bytes of JSON that is as short as it can be, however the client wrote it.
	for _, tt := range []struct {
		name, text string
		bytes      int // of the text in compact JSON
	}{
		{"two bytes a character", "é", 2},
		{"three bytes a character", "€", 3},
		{"four bytes a character", "🚚", 4},
		{"escaped character", `"`, 2},
		{"line break", "\n", 2},
		{"angle bracket", "<", 1},
		{"ampersand", "&", 1},
	} {
		t.Run("C-210 "+tt.name, func(t *testing.T) {
			s := s.in(t)
			n := 16360 / tt.bytes // some letters are left over
			text := strings.Repeat(tt.text, n) + letters(16372-n*tt.bytes)
			s.create(vizzuality, toJSON(t, map[string]string{"query": text}))
			s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(toJSON(t, map[string]string{"query": text + "a"}))).
				wantError(t, http.StatusBadRequest, tooLarge(16385))
		})
	}
	t.Run("C-210 blanks and escapes of the request do not count", func(t *testing.T) {
		s := s.in(t)
		s.create(vizzuality, "{"+strings.Repeat(" \n", 5000)+`"query": "`+strings.Repeat(`\u0061`, 16372)+`"}`)
		s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(`{"query":"`+strings.Repeat(`\u0061`, 16373)+`"}`)).
			wantError(t, http.StatusBadRequest, tooLarge(16385))
	})
	t.Run("the key is judged before the size, the host before the key", func(t *testing.T) {
		s := s.in(t)
		large := form(url.Values{"query": {letters(20000)}}.Encode())
		s.ask(http.MethodPost, jobsPath, as(vizzuality), large).wantError(t, http.StatusBadRequest, tooLarge(20012))
		s.ask(http.MethodPost, jobsPath, host(vizzuality), apiKey("wrong"), large).wantError(t, http.StatusUnauthorized, "Unauthorized")
		s.ask(http.MethodPost, jobsPath, host("wrong-host"), apiKey("wrong"), large).wantError(t, http.StatusNotFound, wrongHost)
		s.ask(http.MethodPost, jobsPath, host(vizzuality), apiKey("wrong"), form("query=")).wantError(t, http.StatusUnauthorized, "Unauthorized")
	})
	t.Run("a body beyond all bounds", func(t *testing.T) {
		s := s.in(t)
		a := s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(`{"query":"`+letters(2<<20)+`"}`))
		if a.code != http.StatusBadRequest && a.code != http.StatusRequestEntityTooLarge {
			t.Errorf("answered %d", a.code)
		}
	})
}

func TestCartoPayloadOfAUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limits(vizzuality, map[string]any{"payloadBytes": 2048})
	s := w.start(t, true)
	definition := toJSON(t, map[string]string{"query": strings.Repeat("a", 2037)})
	a := s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(definition)).wantCode(t, http.StatusBadRequest)
	if !strings.Contains(a.body, "Your payload is too large: 2049 bytes. Max size allowed is 2048 bytes (2kb).") {
		t.Errorf("%s", a.body)
	}
	s.create(cartodb250, definition)
}

// A user may be allowed more than others, also when only the key says who it is.
func TestCartoPayloadByKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.limits(vizzuality, map[string]any{"payloadBytes": 32768})
	s := w.start(t, true)
	nobody := func(r *http.Request) { r.Host = "localhost" }
	definition := toJSON(t, map[string]string{"query": strings.Repeat("a", 20000)})
	s.ask(http.MethodPost, jobsPath, nobody, bearer(masterKeys[vizzuality]), jsonBody(definition)).wantCode(t, http.StatusCreated)
	s.ask(http.MethodPost, jobsPath, nobody, bearer(masterKeys[cartodb250]), jsonBody(definition)).wantCode(t, http.StatusBadRequest)
	inBody := toJSON(t, map[string]string{"query": strings.Repeat("a", 20000), "api_key": masterKeys[vizzuality]})
	s.ask(http.MethodPost, jobsPath, nobody, jsonBody(inBody)).wantCode(t, http.StatusCreated)
	s.ask(http.MethodPost, jobsPath, nobody, jsonBody(definition)).wantError(t, http.StatusForbidden, "permission denied")
}

// Section 5.3, and what the limit means beyond.
func TestCartoQueueLimit(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		w := newWorld(t, queue)
		w.limits(vizzuality, map[string]any{"queued": map[string]any{"sql": 1}})
		s := w.start(t, true)
		full := func(n int) string {
			return fmt.Sprintf("Failed to create job. Max number of jobs (%d) queued reached", n)
		}
		t.Run("C-016 one queued", func(t *testing.T) {
			s := s.in(t)
			definition := `{"query": "insert into max_queued_jobs_inserts values (1)"}`
			j := s.create(vizzuality, definition)
			s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(definition)).wantError(t, http.StatusBadRequest, full(1))
			// A pending job that is cancelled frees its place at once.
			s.cancelled(j)
			j = s.create(vizzuality, definition)
			s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(definition)).wantError(t, http.StatusBadRequest, full(1))
			s.cancelled(j)
			// Exports are in a lane of their own.
			s.post("/item/batch", bearer(masterKeys[vizzuality])).wantCode(t, http.StatusSeeOther)
			s.create(vizzuality, definition)
		})
		t.Run("C-240 sixty-four queued", func(t *testing.T) {
			s := s.in(t)
			var mu sync.Mutex
			var wg sync.WaitGroup
			var made []sqlJob
			refused := 0
			for range 96 { // at once: the check and the push are one
				wg.Go(func() {
					a, err := s.try(http.MethodPost, jobsPath, as(cartodb250), jsonBody(`{"query": "select 1"}`))
					mu.Lock()
					defer mu.Unlock()
					switch {
					case err == nil && a.code == http.StatusCreated:
						made = append(made, s.job(cartodb250, a))
					case err == nil && a.code == http.StatusBadRequest:
						refused++
					default:
						t.Errorf("answer %d, error %v", a.code, err)
					}
				})
			}
			wg.Wait()
			if len(made) != 64 || refused != 32 {
				t.Fatalf("%d made and %d refused, want 64 and 32", len(made), refused)
			}
			s.ask(http.MethodPost, jobsPath, as(cartodb250), jsonBody(`{"query": "select 1"}`)).wantError(t, http.StatusBadRequest, full(64))
			s.cancelled(made[31])
			s.create(cartodb250, `{"query": "select 1"}`)
			s.ask(http.MethodPost, jobsPath, as(cartodb250), jsonBody(`{"query": "select 1"}`)).wantError(t, http.StatusBadRequest, full(64))
			s.create(boss, `{"query": "select 1"}`)
		})
	})
}
