package blackbox

import (
	"bufio"
	"compress/gzip"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/internal/testenv"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/redis/go-redis/v9"
)

// secureSecrets are passwords and keys, and in what forms they might be found.
type secureSecrets struct {
	forms map[string]string // what each is
}

func (f *secureSecrets) add(what, secret string) string {
	if f.forms == nil {
		f.forms = map[string]string{}
	}
	sha, md := sha256.Sum256([]byte(secret)), md5.Sum([]byte(secret))
	for form, text := range map[string]string{
		"": secret, " in hex": hex.EncodeToString([]byte(secret)), " in base64": strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "="),
		", its SHA-256": hex.EncodeToString(sha[:]), ", its SHA-256 in base64": base64.RawStdEncoding.EncodeToString(sha[:]),
		", its MD5": hex.EncodeToString(md[:]),
	} {
		f.forms[text] = what + form
	}
	return secret
}

// key adds a key, which Basic sends together with its user's name.
func (f *secureSecrets) key(user string) string {
	key := f.add("the key of "+user, "K3y-"+user+"-"+rand.Text())
	f.forms[strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(user+":"+key)), "=")] = "the key of " + user + " as Basic has it"
	return key
}

// none checks that a text holds none of them.
func (f *secureSecrets) none(t *testing.T, where, text string) {
	t.Helper()
	small := strings.ToLower(text) // hexadecimal digits may be capitals
	for form, what := range f.forms {
		for _, in := range []string{text, small} {
			if i := strings.Index(in, form); i >= 0 {
				t.Errorf("%s holds %s: …%s…", where, what, in[max(i-200, 0):min(i+len(form)+50, len(in))])
				break
			}
		}
	}
}

// secureRedis is everything below a prefix, in all databases of the server.
func secureRedis(t *testing.T, prefix string) string {
	t.Helper()
	o, err := redis.ParseURL(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	var b strings.Builder
	for o.DB = range 16 {
		c := redis.NewClient(o)
		scan := c.Scan(ctx, 0, "*"+prefix+"*", 1000).Iterator()
		for scan.Next(ctx) {
			key := scan.Val()
			kind, err := c.Type(ctx, key).Result()
			var value any
			switch kind {
			case "none": // gone meanwhile
				continue
			case "string":
				value, err = c.Get(ctx, key).Result()
			case "hash":
				value, err = c.HGetAll(ctx, key).Result()
			case "list":
				value, err = c.LRange(ctx, key, 0, -1).Result()
			case "set":
				value, err = c.SMembers(ctx, key).Result()
			case "zset":
				value, err = c.ZRangeWithScores(ctx, key, 0, -1).Result()
			case "stream":
				value, err = c.XRange(ctx, key, "-", "+").Result()
			default:
				t.Errorf("%s is a %s", key, kind)
			}
			if err != nil && !errors.Is(err, redis.Nil) {
				t.Error(err)
			}
			fmt.Fprintf(&b, "%s = %v\n", key, value)
		}
		if err := scan.Err(); err != nil {
			t.Error(err)
		}
		c.Close()
	}
	return b.String()
}

// secureMonitor collects every command that names the prefix, and what it sends.
func secureMonitor(t *testing.T, prefix string) *lines {
	t.Helper()
	o, err := redis.ParseURL(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", o.Addr)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-ended })
	if _, err := io.WriteString(conn, "MONITOR\r\n"); err != nil {
		t.Fatal(err)
	}
	r, heard := bufio.NewReader(conn), &lines{}
	if line, err := r.ReadString('\n'); err != nil || line != "+OK\r\n" {
		t.Fatalf("MONITOR: %q, %v", line, err)
	}
	go func() {
		defer close(ended)
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			if strings.Contains(line, prefix) {
				_, _ = io.WriteString(heard, line)
			}
		}
	}()
	return heard
}

// secureTables are all rows of all of the service's own tables.
func secureTables(t *testing.T, db string) string {
	t.Helper()
	var b strings.Builder
	for _, table := range query(t, db, "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'slashbatch'") {
		for _, row := range query(t, db, "SELECT row_to_json(r)::text FROM "+table[0]+" r") {
			fmt.Fprintf(&b, "%s %s\n", table[0], row[0])
		}
	}
	return b.String()
}

// secureFiles are the names and the texts of all files of a folder.
func secureFiles(t *testing.T, folder string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		var text io.Reader = file
		if filepath.Ext(path) == ".gz" {
			if text, err = gzip.NewReader(file); err != nil {
				return err
			}
		}
		fmt.Fprintf(&b, "%s\n", path)
		_, err = io.Copy(&b, text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return b.String()
}

// secureDoor is a database that asks for a password and lets nobody in. It tells whether
// it was given one.
func secureDoor(t *testing.T) (address string, asked func() bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	var mu sync.Mutex
	given := false
	refuse := func(conn net.Conn) {
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		b := pgproto3.NewBackend(conn, conn)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			return
		}
		b.Send(&pgproto3.AuthenticationCleartextPassword{})
		if b.Flush() != nil || b.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil {
			return
		}
		m, err := b.Receive()
		if p, ok := m.(*pgproto3.PasswordMessage); err != nil || !ok || p.Password == "" {
			return
		}
		mu.Lock()
		given = true
		mu.Unlock()
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28P01", Message: "password authentication failed"})
		_ = b.Flush()
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go refuse(conn)
		}
	}()
	return listener.Addr().String(), func() bool { mu.Lock(); defer mu.Unlock(); return given }
}
