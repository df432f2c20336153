package blackbox

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"slashbatch/internal/testenv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/redis/go-redis/v9"
)

// secureSite is a site whose every login and key would be noticed anywhere.
type secureSite struct {
	site
	secureSecrets
	keys   map[string]string
	heard  lines // every answer
	prefix string
	door   func() bool
}

// Users whose data sources cannot be had: the database does not exist, the role may not
// log in, the password is refused, nobody listens.
var secureAway = []string{"ghost", "locked", "refused", "nowhere"}

func newSecureSite(t *testing.T, onRedis bool) *secureSite {
	t.Helper()
	w := newWorld(t)
	s := &secureSite{keys: map[string]string{}, prefix: "secure-" + uuid.NewString()}
	login := func(raw, who string, change func(*url.URL)) string {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if change != nil {
			change(u)
		}
		u.User = url.UserPassword(u.User.Username(), s.add("the password of "+who, "S3cr3t-"+who+"-"+rand.Text()))
		return u.String()
	}
	for _, name := range []string{vizzuality, cartodb250, boss} {
		w.settings["dataSources."+name+".url"] = login(w.login(t, w.db, name), name, nil)
	}
	locked := "locked_" + strings.ToLower(rand.Text()[:12])
	execute(t, w.db, "CREATE ROLE "+locked+" NOLOGIN")
	t.Cleanup(func() {
		conn, err := pgconn.Connect(context.Background(), testenv.Postgres(t))
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close(context.Background())
		if _, err := conn.Exec(context.Background(), "DROP ROLE "+locked).ReadAll(); err != nil {
			t.Error(err)
		}
	})
	var door string
	door, s.door = secureDoor(t)
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	users := w.settings["auth.users"].([]any)
	for i, change := range []func(*url.URL){
		func(u *url.URL) { u.Path += "_gone" },
		func(u *url.URL) { u.User = url.User(locked) },
		func(u *url.URL) { u.Host = door },
		func(u *url.URL) { u.Host = nobody.Addr().String() },
	} {
		name := secureAway[i]
		w.settings["dataSources."+name+".url"] = login(w.login(t, w.db, vizzuality), name, change)
		users = append(users, map[string]any{"name": name, "sql": true, "dataSource": name})
	}
	for _, u := range users {
		u := u.(map[string]any)
		name := u["name"].(string)
		s.keys[name] = s.key(name)
		u["keys"] = []any{map[string]any{"sha256": digest(s.keys[name]), "type": "master"}}
	}
	w.settings["auth.users"] = users
	w.settings["catalog.url"] = login(w.db, "catalog", nil)
	w.settings["dataSources.default.url"] = login(w.db, "default", nil)
	w.settings["dataSources.batch.url"] = login(w.db, "batch", nil)
	w.settings["batch.process.workers.sql"] = 4
	w.settings["queue.prefix"] = s.prefix
	if onRedis {
		w.settings["queue.url"] = s.redisLogin(t)
		store, err := url.Parse(testenv.S3(t))
		if err != nil {
			t.Fatal(err)
		}
		w.settings["cache.url"] = store.JoinPath(s.prefix).String()
		s.add("the store's secret", os.Getenv("AWS_SECRET_ACCESS_KEY"))
	} else {
		w.settings["queue.url"] = login(w.db, "queue", nil)
	}
	s.site = site{start(t, setup{settings: w.settings, db: w.db, unready: true}), w}
	s.eventually("jobs are taken", func() bool {
		return s.say(http.MethodGet, jobsPath, s.as(vizzuality)).code == http.StatusOK && s.say(http.MethodGet, "/item").code == http.StatusOK
	})
	return s
}

// redisLogin makes a user of Redis with a password, and is the URL for it.
func (s *secureSite) redisLogin(t *testing.T) string {
	t.Helper()
	raw := testenv.Redis(t)
	o, err := redis.ParseURL(raw)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() {
		if err := c.Do(context.Background(), "ACL", "DELUSER", s.prefix).Err(); err != nil {
			t.Error(err)
		}
		c.Close()
	})
	password := s.add("the password of redis", "S3cr3t-redis-"+rand.Text())
	if err := c.Do(t.Context(), "ACL", "SETUSER", s.prefix, "on", ">"+password, "~*", "&*", "+@all").Err(); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(s.prefix, password)
	return u.String()
}

func (s *secureSite) as(user string) func(*http.Request) {
	return func(r *http.Request) { host(user)(r); bearer(s.keys[user])(r) }
}

// say sends a request and keeps the whole answer for the search.
func (s *secureSite) say(method, target string, with ...func(*http.Request)) answer {
	s.t.Helper()
	a := s.do(method, target, with...)
	fmt.Fprintf(&s.heard, "%s %s: %d\n", method, strings.Split(target, "?")[0], a.code)
	_ = a.header.Write(&s.heard)
	_, _ = io.WriteString(&s.heard, a.body+"\n")
	return a
}

// send sends a job and returns its id.
func (s *secureSite) send(user, definition string) string {
	s.t.Helper()
	a := s.say(http.MethodPost, jobsPath, s.as(user), jsonBody(definition)).wantCode(s.t, http.StatusCreated)
	return decode[sqlJob](s.t, a).JobID
}

// comes waits for a status of a job.
func (s *secureSite) comes(user, id, status string) {
	s.t.Helper()
	s.eventually("a job to be "+status, func() bool {
		j := decode[sqlJob](s.t, s.say(http.MethodGet, jobsPath+"/"+id, s.as(user)).wantCode(s.t, http.StatusOK))
		return j.Status == status && j.final() == (status != "pending" && status != "running")
	})
}

// search looks for the secrets wherever the service writes. The words are in what it is
// to write, so that they must be found.
func (s *secureSite) search(t *testing.T, monitor *lines, word, id string) {
	t.Helper()
	places := map[string]string{"the log": s.log.String(), "an answer": s.heard.String(), "a table": secureTables(t, s.db)}
	known := map[string]string{"the log": id, "an answer": word, "a table": id}
	if monitor != nil {
		places["Redis"], known["Redis"] = secureRedis(t, s.prefix), word
		places["a command to Redis"], known["a command to Redis"] = monitor.String(), word
	} else {
		places["a file"], known["a file"] = secureFiles(t, s.folder), word
		known["a table"] = hex.EncodeToString([]byte(word)) // the definition, as bytes
	}
	for where, text := range places {
		if !strings.Contains(text, known[where]) {
			t.Errorf("%s does not hold %q, so the test shows nothing", where, known[where])
		}
		s.none(t, where, text)
	}
}
