package blackbox

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// The users of the façade. Each logs in to PostgreSQL as a role of its own.
const (
	vizzuality = "vizzuality"     // has every type of key
	cartodb250 = "cartodb250user" // shares nothing with the former but the server
	boss       = "boss"           // an admin
	reader     = "reader"         // may not send SQL jobs
)

// masterKeys are the users' keys with the SQL right; reader's has none all the same.
var masterKeys = map[string]string{vizzuality: "1234", cartodb250: "250-master-key", boss: "boss-master-key", reader: "reader-master-key"}

// otherKeys are vizzuality's without it.
var otherKeys = map[string]string{"default_public": "default", "regular1": "regular", "regular2": "regular"}

// cartoSchema are the tables of upstream's own tests, and one to leave marks in.
const cartoSchema = `
CREATE TABLE untitle_table_4 (cartodb_id serial PRIMARY KEY, name text);
INSERT INTO untitle_table_4 (name) VALUES ('Hawai'), ('El Estocolmo'), ('El Rey del Tallarín'), ('El Lacón'), ('El Pico'), ('it''s');
CREATE TABLE private_table AS SELECT n AS cartodb_id, 'private ' || n AS name FROM generate_series(1, 5) AS n;
CREATE TABLE scoped_table_1 AS SELECT n AS cartodb_id, 'scoped ' || n AS name FROM generate_series(1, 4) AS n;
CREATE TABLE mark (n serial, who name DEFAULT current_user, word text);
GRANT USAGE, CREATE ON SCHEMA public TO PUBLIC;
GRANT SELECT ON untitle_table_4 TO PUBLIC;
GRANT ALL ON mark, mark_n_seq TO PUBLIC;`

// world is a database with the users' roles, and what makes services use it.
type world struct {
	db    string
	roles map[string]string // of users
	// password is in the URL of every data source.
	password string
	settings map[string]any
}

// newWorld makes one; the settings come on top of its own.
func newWorld(t *testing.T, settings ...map[string]any) *world {
	t.Helper()
	server := testenv.Postgres(t)
	w := &world{roles: map[string]string{}, password: "pw-" + rand.Text()}
	names := []string{vizzuality, cartodb250, boss}
	for _, name := range names {
		w.roles[name] = "r_" + strings.ToLower(rand.Text()[:12])
		role := w.roles[name]
		execute(t, server, "CREATE ROLE "+role+" LOGIN")
		// After the database, with all that the role owns in it, is gone.
		t.Cleanup(func() {
			conn, err := pgconn.Connect(context.Background(), server)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close(context.Background())
			if _, err := conn.Exec(context.Background(), "DROP ROLE "+role).ReadAll(); err != nil {
				t.Error(err)
			}
		})
	}
	w.db = pgtest.New(t)
	execute(t, w.db, schema+cartoSchema)
	execute(t, w.db, "ALTER TABLE private_table OWNER TO "+w.roles[vizzuality]+"; ALTER TABLE scoped_table_1 OWNER TO "+w.roles[vizzuality])

	w.settings = map[string]any{"auth.userFromHost": `^([^.]*)\.`}
	var list []any
	for _, name := range append(names, reader) {
		keys := []any{map[string]any{"sha256": digest(masterKeys[name]), "type": "master"}}
		user := map[string]any{"name": name, "admin": name == boss}
		if name == vizzuality {
			for key, kind := range otherKeys {
				keys = append(keys, map[string]any{"sha256": digest(key), "type": kind})
			}
		}
		if name != reader {
			user["sql"], user["dataSource"] = true, name
			w.settings["dataSources."+name+".url"] = w.login(t, w.db, name)
			w.settings["dataSources."+name+".maxConns"] = 3
		}
		user["keys"] = keys
		list = append(list, user)
	}
	w.settings["auth.users"] = list
	for _, more := range settings {
		maps.Copy(w.settings, more)
	}
	return w
}

// login is the database's URL for a user's role.
func (w *world) login(t *testing.T, db, user string) string {
	t.Helper()
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(w.roles[user], w.password)
	return u.String()
}

// limits sets limits of a user.
func (w *world) limits(user string, limits map[string]any) {
	for _, u := range w.settings["auth.users"].([]any) {
		if m := u.(map[string]any); m["name"] == user {
			m["limits"] = limits
		}
	}
}

// site is a running service with the façade.
type site struct {
	*service
	world *world
}

func (w *world) start(t *testing.T, idle bool) site {
	t.Helper()
	return site{start(t, setup{settings: w.settings, db: w.db, idle: idle}), w}
}

// newSite starts a service in a world of its own.
func newSite(t *testing.T, settings ...map[string]any) site {
	t.Helper()
	return newWorld(t, settings...).start(t, false)
}

// newIdleSite starts one that runs no job.
func newIdleSite(t *testing.T, settings ...map[string]any) site {
	t.Helper()
	return newWorld(t, settings...).start(t, true)
}

// in is the site for a subtest.
func (s site) in(t *testing.T) site {
	service := *s.service
	service.t = t
	s.service = &service
	return s
}

// redisQueue are the settings of a queue that several services share.
func redisQueue(t *testing.T) map[string]any {
	t.Helper()
	return map[string]any{"queue.url": testenv.Redis(t), "queue.prefix": "carto-" + uuid.NewString(), "cache.url": "file://" + t.TempDir()}
}

// onQueues runs a test on the memory queue and on Redis.
func onQueues(t *testing.T, test func(t *testing.T, queue map[string]any)) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) { t.Parallel(); test(t, nil) })
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, redisQueue(t)) })
}

// host sends the request to a user's own host name.
func host(user string) func(*http.Request) {
	return func(r *http.Request) { r.Host = user + ".cartodb.com" }
}

// as sends it as a user, to its host and with its master key.
func as(user string) func(*http.Request) {
	return func(r *http.Request) { host(user)(r); bearer(masterKeys[user])(r) }
}

// apiKey puts a key into the query string.
func apiKey(key string) func(*http.Request) {
	return func(r *http.Request) {
		q := r.URL.Query()
		q.Set("api_key", key)
		r.URL.RawQuery = q.Encode()
	}
}

// marks are the words left in the table for them, in order.
func (s site) marks() string {
	s.t.Helper()
	var words []string
	for _, row := range query(s.t, s.db, "SELECT word FROM mark ORDER BY n") {
		words = append(words, row[0])
	}
	return strings.Join(words, " ")
}

func (s site) wantMarks(want string) {
	s.t.Helper()
	if got := s.marks(); got != want {
		s.t.Errorf("marks %q, want %q", got, want)
	}
}

// mark is SQL that leaves a mark.
func mark(word string) string { return fmt.Sprintf("insert into mark (word) values ('%s')", word) }

// toJSON writes a value as JSON with no more bytes than needed.
func toJSON(t *testing.T, v any) string {
	t.Helper()
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// timestamp is how the façade writes times.
var timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// uuid4 is how it names jobs.
var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
