package config

import "time"

// BatchSource is the name of the data source for long work; it has its own
// defaults.
const BatchSource = "batch"

// DefaultSource is the name of the data source that has to be there.
const DefaultSource = "default"

// Defaults returns what is in force where nothing is configured. Only
// Catalog.URL and DataSources, which are empty, have to be given. This is the
// one place for default values; config.yaml repeats them for people and a test
// compares the two.
func Defaults() *Config {
	return &Config{
		Server: Server{
			Listen:       ":8080",
			MaxBodyBytes: 1 << 20,
		},
		Catalog:     Catalog{Migrate: true},
		DataSources: map[string]DataSource{},
		Queue: Queue{
			URL:    "redis://localhost:6379/5",
			Prefix: "batch",
		},
		Cache: Cache{
			URL:        "file:./data",
			Compressed: true,
			Download:   DownloadProxy,
			LinkTTL:    Duration(15 * time.Minute),
			Grace:      Duration(24 * time.Hour),
		},
		Batch: Batch{
			Enabled: true,
			Path:    "/batch",
			MaxWait: Duration(300 * time.Second),
			Process: Process{
				Enabled:   true,
				Workers:   Lanes{Export: 4, SQL: 2},
				Crashes:   3,
				Timeout:   Duration(time.Second),
				RetryInit: Duration(5 * time.Second),
				Lease:     Duration(30 * time.Second),
				Drain:     Duration(30 * time.Second),
			},
			MaxAge:    Duration(168 * time.Hour),
			MinFresh:  Duration(10 * time.Minute),
			RetryHold: Duration(60 * time.Second),
			Limits: Limits{
				Queued:       Lanes{Export: 64, SQL: 64},
				Running:      Lanes{Export: 2, SQL: 1},
				PayloadBytes: 16 << 10,
				QueryTimeout: Duration(12 * time.Hour),
				ResultBytes:  100 << 30,
			},
			Retention: Retention{
				Jobs:    Duration(48 * time.Hour),
				Results: Duration(168 * time.Hour),
			},
		},
		Auth: Auth{
			Anonymous: Anonymous{Enabled: true, Running: 2, Queued: 64, TotalQueued: 10000},
		},
		Assets: Assets{
			MaxMembers: 250,
			PageSize:   100,
			Deadline:   Duration(24 * time.Hour),
			Lease:      Duration(5 * time.Minute),
		},
		EndpointsDir: "./endpoints",
		Log:          Log{Level: "info", Format: "json"},
	}
}

// defaultDataSource is what a data source starts from.
func defaultDataSource(name string) DataSource {
	if name == BatchSource {
		return DataSource{MaxConns: 4, StatementTimeout: Duration(12 * time.Hour), Capacity: 4}
	}
	return DataSource{MaxConns: 8, StatementTimeout: Duration(30 * time.Second)}
}

// defaultUser is what a user starts from, given what everybody has.
func defaultUser(limits Limits) User { return User{Limits: limits} }

// defaultKey is what a key starts from: the least right.
func defaultKey() Key { return Key{Type: KeyRegular} }
