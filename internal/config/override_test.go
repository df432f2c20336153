package config

import (
	"testing"
	"time"
)

func TestOverride(t *testing.T) {
	const file = `
server: {listen: ":1", trustedProxies: [10.0.0.1]}
catalog: {url: postgres:///c}
dataSources:
  default: {url: postgres:///d, maxConns: 2}
  Read-Only.two: {url: postgres:///r}
  a_b: {url: postgres:///ab}
queue: {url: "${UNSET}"}
batch: {process: {workers: 5}}
`
	for _, tt := range []struct {
		variable string
		got      func(*Config) any
		want     any
	}{
		{"SERVER_LISTEN=:2", func(c *Config) any { return c.Server.Listen }, ":2"},
		{"SERVER_ADMINLISTEN=", func(c *Config) any { return c.Server.AdminListen }, ""},
		{"SERVER_TRUSTEDPROXIES=10.0.0.2, fd00::/8", func(c *Config) any { return c.Server.TrustedProxies[1].String() }, "fd00::/8"},
		{"SERVER_TRUSTEDPROXIES=", func(c *Config) any { return len(c.Server.TrustedProxies) }, 0},
		{"CATALOG_URL=postgres://u:$$a$x@h/", func(c *Config) any { return c.Catalog.URL.Reveal() }, "postgres://u:$$a$x@h/"},
		{"DATASOURCES_DEFAULT_URL=postgres:///x", func(c *Config) any { return c.DataSources["default"] }, DataSource{URL: "postgres:///x", MaxConns: 2, StatementTimeout: Duration(30 * time.Second)}},
		{"DATASOURCES_BATCH_URL=postgres:///x", func(c *Config) any { return c.DataSources["batch"] }, DataSource{URL: "postgres:///x", MaxConns: 4, StatementTimeout: Duration(12 * time.Hour), Capacity: 4}},
		{"DATASOURCES_READ_ONLY_TWO_CAPACITY=3", func(c *Config) any { return c.DataSources["Read-Only.two"].Capacity }, 3},
		{"DATASOURCES_A_B_MAXCONNS=3", func(c *Config) any { return c.DataSources["a_b"].MaxConns }, 3},
		{"DATASOURCES_NEW_ONE_URL=postgres:///n", func(c *Config) any { return c.DataSources["new_one"].URL }, URL("postgres:///n")},
		{"QUEUE_PREFIX=007", func(c *Config) any { return c.Queue.Prefix }, "007"},
		{"BATCH_PROCESS_ENABLED=false", func(c *Config) any { return c.Batch.Process.Enabled }, false},
		{"BATCH_PROCESS_WORKERS=7", func(c *Config) any { return c.Batch.Process.Workers }, Lanes{7, 7}},
		{"BATCH_PROCESS_WORKERS_EXPORT=1", func(c *Config) any { return c.Batch.Process.Workers }, Lanes{1, 5}},
		{"BATCH_LIMITS_RUNNING_SQL=3", func(c *Config) any { return c.Batch.Limits.Running }, Lanes{2, 3}},
		{"BATCH_PROCESS_LEASE=5000", func(c *Config) any { return c.Batch.Process.Lease }, Duration(5 * time.Second)},
		{"BATCH_PROCESS_LEASE=1m", func(c *Config) any { return c.Batch.Process.Lease }, Duration(time.Minute)},
		{"BATCH_RETENTION_MAXBYTES=1GB", func(c *Config) any { return c.Batch.Retention.MaxBytes }, Size(1e9)},
		{"ENDPOINTSDIR=/srv/endpoints", func(c *Config) any { return c.EndpointsDir }, "/srv/endpoints"},
		{"LOG_LEVEL=debug", func(c *Config) any { return c.Log.Level }, "debug"},
		{"TEST_ANYTHING=x", func(c *Config) any { return c.Server.Listen }, ":1"},
	} {
		// The variable for the queue shows that what is overridden is not expanded.
		c := mustLoad(t, file, "SLASHBATCH_"+tt.variable, "SLASHBATCH_QUEUE_URL=memory:")
		if got := tt.got(c); got != tt.want {
			t.Errorf("%s gives %v, want %v", tt.variable, got, tt.want)
		}
	}
}

func TestOverrideProblems(t *testing.T) {
	for variable, want := range map[string]string{
		"BATCH_PROCESS_WORKERS=many":     "SLASHBATCH_BATCH_PROCESS_WORKERS: batch.process.workers: expected a whole number for each lane, or a mapping of export and sql, got a string",
		"BATCH_LIMITS_QUEUED=100001":     "SLASHBATCH_BATCH_LIMITS_QUEUED: batch.limits.queued.export: is 100001, at most 100000 is possible\nSLASHBATCH_BATCH_LIMITS_QUEUED: batch.limits.queued.sql: is 100001, at most 100000 is possible",
		"SERVER_TRUSTEDPROXIES=proxy":    "SLASHBATCH_SERVER_TRUSTEDPROXIES: server.trustedProxies[0]: expected an address such as 10.0.0.1 or a network such as 10.0.0.0/8",
		"DATASOURCES_OTHER_MAXCONNS=1":   "test.yaml: dataSources.other.url: is required, here or as urlFile",
		"BATCH_PROCES_LEASE=1m":          "environment: SLASHBATCH_BATCH_PROCES_LEASE: names no key that a variable can set, did you mean SLASHBATCH_BATCH_PROCESS_LEASE?",
		"DATASOURCES=x":                  "environment: SLASHBATCH_DATASOURCES: names no key that a variable can set",
		"ENDPOINTS=x":                    "environment: SLASHBATCH_ENDPOINTS: names no key that a variable can set, did you mean SLASHBATCH_ENDPOINTSDIR?",
		"DATASOURCES__URL=postgres:///x": "environment: SLASHBATCH_DATASOURCES__URL: names no key that a variable can set",
	} {
		_, problems := load("test.yaml", []byte(minimal), []string{"SLASHBATCH_" + variable})
		if got := problems.Error(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", variable, got, want)
		}
	}
}
