// Package config is the configuration of slashbatch: documented structs, one
// place for their defaults, and a strict loader that tells every problem at
// once.
//
// What is in force comes from three places, the later ones winning: Defaults,
// the YAML file, and SLASHBATCH_… variables of the environment. The keys of
// the file are the yaml names of the fields below; config.yaml at the root of
// the repository shows all of them with their defaults.
//
// Everywhere a number is milliseconds where a Duration is wanted, and bytes
// where a Size is wanted. A key without a value keeps its default. Relative
// paths start at the working directory.
package config

import (
	"net/netip"

	"go.yaml.in/yaml/v3"
)

// Config is everything that can be configured.
type Config struct {
	// Server is the HTTP side.
	Server Server `yaml:"server"`

	// Catalog is the database of slashbatch's own tables.
	Catalog Catalog `yaml:"catalog"`

	// DataSources are the databases that are read, and on which SQL jobs and
	// steps run, by name. "default" is required; the name "user" is taken (in an
	// endpoint it means the caller's own). See DataSource for what each defaults to.
	DataSources map[string]DataSource `yaml:"dataSources"`

	// Queue is where jobs wait.
	Queue Queue `yaml:"queue"`

	// Cache is where the files of results live.
	Cache Cache `yaml:"cache"`

	// Batch is how requests become jobs, jobs run and results age.
	Batch Batch `yaml:"batch"`

	// Auth is who may do what.
	Auth Auth `yaml:"auth"`

	// Assets are customers' batches of assets.
	Assets Assets `yaml:"assets"`

	// NamedQueries are customers' stored queries over their assets.
	NamedQueries NamedQueries `yaml:"namedQueries"`

	// Endpoints are endpoint specs written inline. They are handed on as they
	// stand, aliases resolved and nothing expanded (SQL has its own use for
	// "$$"); each node knows its line in File, and the path of the i-th is
	// "endpoints[i]". Defaults to none.
	Endpoints []yaml.Node `yaml:"endpoints"`

	// EndpointsDir is the folder of endpoint specs, one or more a file. Empty
	// means there is none. Defaults to "./endpoints".
	EndpointsDir string `yaml:"endpointsDir"`

	// EndpointsReload makes a running server pick up changed specs. Defaults to
	// false.
	EndpointsReload bool `yaml:"endpointsReload"`

	// Log is what is written to standard error.
	Log Log `yaml:"log"`

	// File is the path the configuration was loaded from, as given to Load.
	File string `yaml:"-"`
}

// Server is the HTTP side.
type Server struct {
	// Listen is the host:port to serve on; an empty host is every interface.
	// Defaults to ":8080".
	Listen string `yaml:"listen"`

	// AdminListen is the host:port for health, metrics and admin routes. Empty
	// puts health and metrics on Listen, metrics for loopback and admins only; a
	// process of workers alone then has neither. Defaults to "".
	AdminListen string `yaml:"adminListen"`

	// PublicURL is how clients reach the root of this server: an absolute http or
	// https URL, without a slash at its end. Links in answers start with it. Empty
	// takes the Host header, and X-Forwarded-* of trusted proxies. Defaults to "".
	PublicURL string `yaml:"publicUrl"`

	// TrustedProxies are the networks whose X-Forwarded-* headers are believed,
	// as addresses or CIDRs. Defaults to none.
	TrustedProxies []netip.Prefix `yaml:"trustedProxies"`

	// MaxBodyBytes is the longest request body. Defaults to 1MiB.
	MaxBodyBytes Size `yaml:"maxBodyBytes"`

	// CORSOrigins are the origins whose scripts may read answers: "https://host"
	// or "*". Defaults to none, which switches CORS off.
	CORSOrigins []string `yaml:"corsOrigins"`

	// RateLimit is how many requests per second one user, or one group of
	// anonymous addresses, may send for long. 0 means no limit. Defaults to 0.
	RateLimit int `yaml:"rateLimit"`
}

// Catalog is the database that holds slashbatch's own tables, in the schema
// slashbatch.
type Catalog struct {
	// URL is a postgres:// URL. Required, here or by URLFile.
	URL URL `yaml:"url"`

	// URLFile is a file that holds URL, for secrets that are mounted. One of the
	// two is given.
	URLFile string `yaml:"urlFile,omitempty"`

	// Migrate lets processes bring the schema up to date when they start.
	// Without it they refuse to start as long as something is missing, which
	// "slashbatch migrate" adds. It holds for the queue's tables, too, where that
	// is in PostgreSQL. Defaults to true.
	Migrate bool `yaml:"migrate"`
}

// DataSource is one database with one login role.
type DataSource struct {
	// URL is a postgres:// URL. Required, here or by URLFile.
	URL URL `yaml:"url"`

	// URLFile is a file that holds URL.
	URLFile string `yaml:"urlFile,omitempty"`

	// MaxConns is how many connections one process opens at most, not counting
	// that of each SQL job which runs. Defaults to 8; to 4 for the data source
	// named "batch".
	MaxConns int `yaml:"maxConns"`

	// StatementTimeout ends a statement in the database. Defaults to 30s; to 12h
	// for the data source named "batch".
	StatementTimeout Duration `yaml:"statementTimeout"`

	// Capacity is how many jobs may run on it at once, over the whole fleet. 0
	// means no limit. Defaults to 0; to 4 for the data source named "batch".
	Capacity int `yaml:"capacity"`
}

// Queue is where jobs wait.
type Queue struct {
	// URL chooses the backend: redis:// or rediss://, whose path is the number of
	// the database; redis+sentinel:// or rediss+sentinel://, with the sentinels as
	// hosts, joined by commas, and ?master_name=…; "postgres:" for the catalogue's
	// database, or postgres://… for another one; "memory:" for one process without
	// durability. Defaults to redis://localhost:6379/5.
	URL URL `yaml:"url"`

	// URLFile is a file that holds URL.
	URLFile string `yaml:"urlFile,omitempty"`

	// Prefix begins every Redis key. Defaults to "batch".
	Prefix string `yaml:"prefix"`

	// Replicas is how many Redis replicas must have taken a job, or its claim,
	// before that is answered; 0 asks none. Defaults to 0.
	Replicas int `yaml:"replicas"`
}

// Cache is where the files of results live.
type Cache struct {
	// URL chooses the store: file:///folder (file:folder is made absolute by
	// Load), or s3://bucket/prefix?region=…&endpoint=…&path_style=true with
	// credentials from AWS' default chain. Defaults to file:./data.
	URL URL `yaml:"url"`

	// URLFile is a file that holds URL.
	URLFile string `yaml:"urlFile,omitempty"`

	// ReadFrom are the URLs of further stores whose files are served, as while they
	// are copied from there; nothing is written to them. Defaults to none.
	ReadFrom []URL `yaml:"readFrom"`

	// Compressed stores results as gzip. Defaults to true.
	Compressed bool `yaml:"compressed"`

	// Download is how a file reaches its client: "proxy" through this server, or
	// "redirect" to a signed URL of the store, which s3 only has. Defaults to
	// "proxy".
	Download string `yaml:"download"`

	// LinkTTL is how long a signed URL works, at most 15m. Defaults to 15m.
	LinkTTL Duration `yaml:"linkTTL"`

	// Grace is how long after the last read, or the last signed URL, a result is
	// safe from eviction; at least LinkTTL. Defaults to 24h.
	Grace Duration `yaml:"grace"`
}

// Log is what is written to standard error.
type Log struct {
	// Level is the least that is written: debug, info, warn or error. Defaults to
	// info.
	Level string `yaml:"level"`

	// Format is json or text. Defaults to json.
	Format string `yaml:"format"`
}

// Values of Cache.Download.
const (
	DownloadProxy    = "proxy"
	DownloadRedirect = "redirect"
)
