package cli

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"slashbatch/demo"
	"slashbatch/demo/postgres"
	"slashbatch/internal/app"
	"slashbatch/internal/config"
)

// runDemo starts everything in this process: PostgreSQL with sample data, the
// memory queue, a folder as store, a server and a worker.
func runDemo(ctx, hard context.Context, e env, args []string) (err error) {
	var listen string
	var verbose bool
	if err := parse(e, "demo", args, func(f *flag.FlagSet) {
		f.StringVar(&listen, "listen", "127.0.0.1:8080", "`address` to serve on; another port is taken when this one is in use")
		f.BoolVar(&verbose, "v", false, "show the log")
	}); err != nil {
		return err
	}
	say := func(format string, a ...any) { fmt.Fprintf(e.stdout, format+"\n", a...) }

	dir, err := os.MkdirTemp("", "slashbatch-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	say("Starting a throwaway PostgreSQL …")
	server, err := postgres.Start(ctx, postgres.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()

	start := time.Now()
	say("Loading the sample data …")
	if err := demo.Load(ctx, server.URL()); err != nil {
		return stopped(ctx, err)
	}
	key, password, customer := rand.Text(), rand.Text(), rand.Text()
	if err := demo.LoadAnalyst(ctx, server.URL(), password); err != nil {
		return stopped(ctx, err)
	}
	say("Loaded in %.1f s.", time.Since(start).Seconds())

	c, err := demoConfig(dir, server.URL(), freeAddress(listen), key, password)
	if err != nil {
		return err
	}
	logs := io.Discard
	if verbose {
		logs = e.stderr
	}
	a, err := openConfig(ctx, env{e.vars, e.stdout, logs}, c, app.Roles{Serve: true, Work: true})
	if err != nil {
		return stopped(ctx, err)
	}
	defer a.Close()
	if _, err := a.Migrate(ctx); err != nil {
		return stopped(ctx, err)
	}
	if err := demo.LoadAssets(ctx, server.URL(), fmt.Sprintf("%x", sha256.Sum256([]byte(customer)))); err != nil {
		return stopped(ctx, err)
	}
	a.Addr = func(address string) {
		_, err = io.WriteString(e.stdout, welcome("http://"+address, server.URL(), key, customer))
	}
	if err := a.Run(ctx, hard); err != nil {
		return err
	}
	say("Stopped; everything the demo made is removed.")
	return nil
}

// stopped turns an error that only says that Ctrl-C was pressed into none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// demoConfig is the configuration of the demo: everything in one folder.
// Its user with SQL has this key, and a role with this password.
func demoConfig(dir, database, listen, key, password string) (*config.Config, error) {
	endpoints := filepath.Join(dir, "endpoints")
	if err := os.CopyFS(dir, demo.Endpoints); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.yaml")
	analyst, err := url.Parse(database)
	if err != nil {
		return nil, err
	}
	analyst.User = url.UserPassword(demo.Analyst, password)
	text := fmt.Sprintf(`server: {listen: %q}
catalog: {url: %q}
dataSources:
  default: {url: %q}
  batch: {url: %q}
  analyst: {url: %q}
auth: {users: [{name: analyst, keys: [{sha256: %x, type: master}], sql: true, dataSource: analyst}]}
queue: {url: "memory:"}
cache: {url: %q}
batch: {process: {drain: 2s}}
endpointsDir: %q
log: {format: text}
`, listen, database, database, database, analyst, sha256.Sum256([]byte(key)), "file://"+filepath.Join(dir, "results"), endpoints)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	c, problems := config.Load(file, nil)
	return c, problems.Err()
}

// freeAddress is the address asked for, or one with any free port when that is
// in use.
func freeAddress(address string) string {
	listener, err := net.Listen("tcp", address)
	if err == nil {
		_ = listener.Close()
		return address
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return address // the listener will say what is wrong with it
	}
	return net.JoinHostPort(host, "0")
}

// welcome is what to try.
func welcome(base, database, key, customer string) string {
	return strings.NewReplacer("BASE", base, "DATABASE", database, "CUSTOMER", customer, "KEY", key).Replace(`
slashbatch is running. Try these in a browser:

  the endpoints BASE/
  rows now      BASE/stream/AB-01/package?min-mass=1000
  as an export  BASE/package/batch
  how it stands BASE/package/batch/status

or from another terminal:

  curl 'BASE/stream/AB-01/package?_view=compact&min-mass=1000&_format=csv'
  curl -i -X POST 'BASE/stream/AB-01/package/batch?min-mass=1000'
  curl 'BASE/stream/AB-01/package/batch/status?min-mass=1000'
  curl -OJ 'BASE/package/batch?_wait=60'

or SQL of your own, as a job (the id of the answer goes into the second line):

  curl 'BASE/api/v2/sql/job?api_key=KEY' --json '{"query": "SELECT stream, count(*) FROM package GROUP BY stream"}'
  curl 'BASE/api/v2/sql/job/…/result?api_key=KEY'

or assets: what came of three batches, as ids, as a file, and what one of them is like:

  curl -u gallery:CUSTOMER BASE/raw-resource/99/report/1234,5555,9999
  curl -u gallery:CUSTOMER -OJ 'BASE/raw-resource/99/report/1234,5555,9999/batch?_view=full&_wait=60'
  curl -u gallery:CUSTOMER 'BASE/customers/99/queue/batches/1234/assets?status=error&pageSize=3'

The database: psql 'DATABASE'
Ctrl-C stops it and removes everything.
`)
}
