package blackbox

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// No password, no key and no digest of one is anywhere but in the configuration.
func TestCartoSecuritySecrets(t *testing.T) {
	t.Parallel()
	for name, onRedis := range map[string]bool{"redis": true, "postgres": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSecureSite(t, onRedis)
			var monitor *lines
			if onRedis {
				monitor = secureMonitor(t, s.prefix)
			}
			secureTraffic(t, s, monitor)
		})
	}
}

// secureTraffic makes the service do whatever it does with logins and keys.
func secureTraffic(t *testing.T, s *secureSite, monitor *lines) {
	t.Helper()
	word := "w" + strings.ToLower(rand.Text())
	text := "select '" + word + "' as a"
	key := s.keys[vizzuality]
	definition := toJSON(t, map[string]string{"query": text})
	var first string
	for i, with := range [][]func(*http.Request){
		{jsonBody(definition), bearer(key)},
		{jsonBody(definition), basic(vizzuality, key)},
		{jsonBody(definition), apiKey(key)},
		{form(url.Values{"query": {text}, "api_key": {key}}.Encode())},
		{form(url.Values{"query[0]": {text}, "map_key": {key}}.Encode())},
		{jsonBody(toJSON(t, map[string]any{"query": []string{text}, "api_key": key}))},
		{jsonBody(toJSON(t, map[string]any{"query": text, "api_key": []string{key}, "API_KEY": key, "token": key})), bearer(key)},
		{header("Content-Type", "multipart/form-data; boundary=b"), content("--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n" + text + "\r\n--b\r\nContent-Disposition: form-data; name=\"api_key\"\r\n\r\n" + key + "\r\n--b--\r\n")},
	} {
		a := s.say(http.MethodPost, jobsPath, append(with, host(vizzuality))...)
		if a.code != http.StatusCreated {
			t.Fatalf("way %d: answered %d: %s", i, a.code, a.body)
		}
		first = decode[sqlJob](t, a).JobID
		s.comes(vizzuality, first, "done")
	}
	for _, with := range []func(*http.Request){s.as(vizzuality), header("Accept-Encoding", "gzip"), header("Range", "bytes=0-1"), browser} {
		s.say(http.MethodGet, jobsPath+"/"+first+"/result", s.as(vizzuality), with)
	}
	// What a session knows of itself.
	for _, sql := range []string{
		"select * from pg_stat_activity", "select name, setting, sourcefile from pg_settings", "select * from pg_roles", "select * from pg_user_mappings",
		"select current_query()", "select inet_server_port(), inet_client_port()",
	} {
		id := s.send(vizzuality, toJSON(t, map[string]string{"query": sql, "onsuccess": "select <%= job_id %>"}))
		s.comes(vizzuality, id, "done")
		s.say(http.MethodGet, jobsPath+"/"+id+"/result", s.as(vizzuality)).wantCode(t, http.StatusOK)
	}
	// Failures.
	s.comes(vizzuality, s.send(vizzuality, toJSON(t, map[string]any{
		"query": []any{map[string]string{"query": "select '" + word + "'::int", "onerror": "select <%= error_message %>::int"}}, "onerror": "select 1 / 0",
	})), "failed")
	var away string
	for _, user := range secureAway {
		away = s.send(user, definition)
		if user != secureAway[len(secureAway)-1] {
			s.comes(user, away, "failed") // a login that is not good
			continue
		}
		s.eventually("a job of "+user+" is tried", func() bool { return s.log.count("out of reach", away) > 0 })
	}
	if !s.door() {
		t.Error("no password was sent, so the test shows nothing")
	}
	s.say(http.MethodGet, "/readyz").wantCode(t, http.StatusOK) // what one user has broken is not the others'
	// Requests that are refused.
	for _, with := range [][]func(*http.Request){
		{host(cartodb250), bearer(key)},
		{host(cartodb250), basic(cartodb250, key)},
		{host(cartodb250), basic(vizzuality, key)},
		{host(vizzuality), bearer(key + "x")},
		{host("nobody"), apiKey(key)},
		{host(reader), bearer(s.keys[reader])},
		{host(vizzuality), header("Authorization", "Digest "+key)},
		{host(vizzuality), apiKey(key + "&cursor=" + key + "&status=" + key + "&limit=" + key)},
		{host(vizzuality), bearer(key), header("Cookie", "key="+key)},
	} {
		for _, target := range []string{jobsPath, jobsPath + "/" + first, jobsPath + "/" + first + "/result", "/api/v2/jobs-wip", "/user/vizzuality" + jobsPath, "/item", "/item/batch/status"} {
			s.say(http.MethodGet, target, with...)
			s.say(http.MethodGet, target, append(with, browser)...)
		}
		s.say(http.MethodPost, jobsPath, append(with, jsonBody(`{"query": `))...)
		s.say(http.MethodPost, jobsPath, append(with, jsonBody(`{"query": [1, {"onerror": "<%= nothing %>"}]}`))...)
		s.say(http.MethodDelete, jobsPath+"/"+first, with...)
	}
	for _, page := range []string{jobsPath + "?limit=1", jobsPath + "?limit=1&format=csv"} {
		link := s.say(http.MethodGet, page, host(vizzuality), apiKey(key)).wantCode(t, http.StatusOK).header.Get("Link")
		to, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		u, err := url.Parse(to)
		if err != nil || link == "" {
			t.Fatalf("Link %q: %v", link, err)
		}
		s.say(http.MethodGet, u.RequestURI(), s.as(vizzuality)).wantCode(t, http.StatusOK)
	}
	// Exports.
	for request, status := range map[string]string{"/item": "Completed", "/broken": "Failed", "/logged": "Completed", "/own": "Completed"} {
		s.eventually(request+" is taken", func() bool { return s.say(http.MethodPost, twin(request), bearer(key)).code == http.StatusSeeOther })
		s.eventually(request+" is "+status, func() bool {
			return decode[map[string]any](t, s.say(http.MethodGet, statusOf(request), bearer(key)))["status"] == status
		})
		s.say(http.MethodGet, twin(request), basic(vizzuality, key))
		s.say(http.MethodGet, statusOf(request), bearer(key), browser)
		s.say(http.MethodGet, statusOf(request)+"?api_key="+key, browser)
	}
	// Jobs that are there while we look, and are then cancelled.
	shut(t, s.db)
	running := s.send(vizzuality, toJSON(t, map[string]string{"query": "select pg_advisory_xact_lock_shared(42), '" + word + "'", "onerror": "select <%= error_message %>"}))
	s.comes(vizzuality, running, "running")
	pending := s.send(vizzuality, definition)
	s.say(http.MethodGet, "/api/v2/jobs-wip", s.as(boss)).wantCode(t, http.StatusOK)
	s.search(t, monitor, word, first)
	for _, id := range []string{running, pending, away} {
		user := vizzuality
		if id == away {
			user = secureAway[len(secureAway)-1]
		}
		s.say(http.MethodDelete, jobsPath+"/"+id, s.as(user)).wantCode(t, http.StatusOK)
		s.say(http.MethodGet, jobsPath+"/"+id+"/result", s.as(user)).wantCode(t, http.StatusNotFound)
	}
	s.stop()
	s.search(t, monitor, word, first)
}

// A client may put its key where it does not belong, among what is kept of a definition
// although nobody knows what it means.
func TestCartoSecurityKeyInDefinition(t *testing.T) {
	t.Parallel()
	s := newSecureSite(t, true)
	monitor, key := secureMonitor(t, s.prefix), s.keys[vizzuality]
	word := "w" + strings.ToLower(rand.Text())
	text := "select '" + word + "' as a"
	id := ""
	for _, with := range []func(*http.Request){
		jsonBody(toJSON(t, map[string]any{"query": map[string]any{"query": []string{text}, "api_key": key}})),
		jsonBody(toJSON(t, map[string]any{"query": []any{map[string]string{"query": text, "map_key": key}}})),
		form(url.Values{"query[query][0]": {text}, "query[api_key]": {key}}.Encode()),
	} {
		a := s.say(http.MethodPost, jobsPath, s.as(vizzuality), with)
		if a.code == http.StatusCreated { // it may as well be refused
			id = decode[sqlJob](t, a).JobID
			s.comes(vizzuality, id, "done")
		}
	}
	if id == "" {
		id = s.send(vizzuality, toJSON(t, map[string]string{"query": text}))
		s.comes(vizzuality, id, "done")
	}
	s.search(t, monitor, word, id)
}
