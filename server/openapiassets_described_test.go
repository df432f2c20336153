package server

import (
	"io/fs"
	"regexp"
	"strings"
	"testing"

	"slashbatch/assets"
	"slashbatch/server/endpoint"
)

const (
	imageColumns = "id text, space integer, created timestamptz, origin text, mediaType text, family text, maxUnauthorised integer, " +
		"width integer, height integer, duration integer, ingesting boolean, "
	tagColumns = "tags text[], roles text[], manifests text[], string1 text, string2 text, string3 text, " +
		"number1 bigint, number2 bigint, number3 bigint, deliveryChannels jsonb, "
	batchColumns = "id bigint, submitted timestamptz, count integer, completed integer, errors integer, finished timestamptz, superseded boolean, " +
		"priority boolean, retryOf bigint, revision bigint, deadline timestamptz, prunedAt timestamptz, prunedCount integer"
)

// describedLists is what PostgreSQL says about the queries of the lists, in no order.
var describedLists = map[string]string{
	listCustomers:    "id integer, name text, displayName text, retention jsonb, created timestamptz",
	listSpaces:       "id integer, name text, created timestamptz",
	listQueries:      "id uuid, name text, global boolean, template text",
	listBatches:      batchColumns,
	listActive:       batchColumns,
	listRecent:       batchColumns,
	listAssetBatches: "id bigint, submitted timestamptz, status text, error text, finished timestamptz, superseded boolean, priority boolean, retryOf bigint",
	listImages:       "asset text, " + imageColumns + tagColumns + "finished timestamptz, error text, batch bigint",
	listBatchImages:  "asset text, " + imageColumns + tagColumns + "finished timestamptz, error text, batch bigint",
	listBatchAssets:  "asset text, " + imageColumns + tagColumns + "status text, finished timestamptz, error text, batch bigint",
	listWork:         "asset text, " + imageColumns + tagColumns + "status text, finished timestamptz, error text, leasedUntil timestamptz, attempt integer, batch bigint, place bigint",
	listQuery:        "asset text, " + imageColumns + tagColumns + "finished timestamptz, error text, batch bigint, spaceName text",
	listQueryBatch:   "asset text, " + imageColumns + tagColumns + "finished timestamptz, error text, batch bigint, spaceName text",
}

// columnTypes are PostgreSQL's types by the words of describedLists, and its own names of them.
var columnTypes = map[string]endpoint.Column{
	"text": {OID: 25, TypeName: "text"}, "text[]": {OID: 1009, TypeName: "text[]"}, "integer": {OID: 23, TypeName: "integer"},
	"bigint": {OID: 20, TypeName: "bigint"}, "timestamptz": {OID: 1184, TypeName: "timestamp with time zone"},
	"boolean": {OID: 16, TypeName: "boolean"}, "jsonb": {OID: 3802, TypeName: "jsonb"}, "uuid": {OID: 2950, TypeName: "uuid"},
}

var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// describedList is what describedLists says about a list.
func describedList(t *testing.T, spec *endpoint.Spec) (d endpoint.Described) {
	t.Helper()
	for column := range strings.SplitSeq(describedLists[spec.Name], ", ") {
		name, kind, _ := strings.Cut(column, " ")
		c, known := columnTypes[kind]
		if !known {
			t.Fatalf("%s: what is %q?", spec.Name, column)
		}
		c.Name = name
		d.Columns = append(d.Columns, c)
	}
	oids, seen := map[string]uint32{"customer": 23, "space": 23, "batch": 20, "image": 25, "batches": 1016, "assets": 1009}, map[string]bool{}
	for _, found := range placeholder.FindAllStringSubmatch(spec.Query, -1) {
		if name := found[1]; !seen[name] {
			seen[name] = true
			d.Params = append(d.Params, oids[name])
		}
	}
	return d
}

// listSpecs are the endpoints over assets' tables, over a data source.
func listSpecs(t *testing.T, source string) (list []*endpoint.Spec) {
	t.Helper()
	names, err := fs.Glob(assets.Lists(), "*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(assets.Lists(), name)
		if err != nil {
			t.Fatal(err)
		}
		specs, problems := endpoint.DecodeOwn(text, name)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, spec := range specs {
			spec.DataSource, spec.Batch.DataSource, spec.Batch.StepsDataSource = source, source, source
			list = append(list, spec)
		}
	}
	return list
}

// assetServer is describedServer with assets, in a store that nobody reaches.
func assetServer(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	store, err := assets.Open("postgres://nobody@127.0.0.1:1/none", assets.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	o := describedServer(t).Options
	o.Assets = AssetOptions{Store: store, Specs: listSpecs(t, "lists"), MaxMembers: 100, PageSize: 100}
	for _, spec := range o.Assets.Specs {
		e, problems := endpoint.Compile(spec, describedList(t, spec))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		o.Registry.Put(e)
	}
	change(&o)
	return New(o)
}

// withoutEndpoints leaves a server the assets only.
func withoutEndpoints(o *Options) { o.Specs, o.SQLEnabled = nil, false }
