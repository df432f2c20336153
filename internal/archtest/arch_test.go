// Package archtest holds the layers of docs/architecture.md: a test fails when
// a package imports what it must not know.
package archtest

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// may lists, for each package of the module, the packages of the module that
// its code (tests aside) may import. A package that is missing here is a
// mistake: give it its place first. Nothing points up or sideways, so a
// package may only import what stands above it in this list.
var may = []struct {
	pkg     string
	imports []string
}{
	{"internal/problem", nil},
	{"internal/testenv", nil},
	{"internal/sqltext", []string{"internal/problem"}},
	{"internal/pg", nil},
	{"internal/pgtest", []string{"internal/testenv"}},
	{"internal/rows", nil},
	{"internal/config", []string{"internal/problem"}},

	{"queue", nil}, // a contract knows nobody
	{"queue/queuetest", []string{"queue", "internal/testenv"}},
	{"queue/memqueue", []string{"queue"}},
	{"queue/redisqueue", []string{"queue"}},
	{"queue/pgqueue", []string{"queue", "internal/pg"}},

	{"cache", nil}, // so does this one
	{"cache/storetest", []string{"cache", "internal/testenv"}},
	{"cache/filestore", []string{"cache"}},
	{"cache/s3store", []string{"cache"}},
	{"cache/catalog", []string{"cache", "internal/pg"}},
	{"cache/upkeep", []string{"cache"}},

	{"jobs", []string{"cache", "queue", "internal/rows", "internal/sqltext"}},
	{"assets", []string{"internal/pg", "internal/problem"}},
	{"server/carto", []string{"internal/problem", "internal/sqltext", "jobs"}},
	{"server/endpoint", []string{"internal/problem", "internal/sqltext"}},
	{"server", []string{"assets", "cache", "jobs", "queue", "internal/problem", "internal/rows", "server/carto", "server/endpoint"}},

	{"demo", nil},
	{"demo/postgres", nil},

	// The only package that knows concrete backends.
	{"internal/app", []string{
		"assets", "cache", "cache/catalog", "cache/filestore", "cache/s3store", "cache/upkeep", "queue", "queue/memqueue", "queue/pgqueue", "queue/redisqueue",
		"internal/config", "internal/problem", "internal/rows", "jobs", "server", "server/endpoint",
	}},
	{"internal/cli", []string{"cache/upkeep", "demo", "demo/postgres", "queue", "internal/app", "internal/config", "internal/problem"}},
	{".", []string{"internal/cli"}},

	{"bench/site", []string{"internal/testenv"}},
	{"bench/export", []string{"bench/site", "internal/testenv"}},
	{"bench/read", []string{"bench/site"}},
	// A module of its own, for what it compares with.
	{"bench/drain", []string{"cache/catalog", "cache/filestore", "internal/rows", "internal/testenv", "jobs", "queue", "queue/redisqueue"}},
}

// drivers may be imported only by the adapters that own them.
var drivers = map[string][]string{
	"github.com/redis/go-redis/": {"queue/redisqueue", "bench/drain"},
	"github.com/aws/":            {"cache/s3store"},
	"github.com/jackc/pgx/":      {"internal/pg", "internal/rows", "cache/catalog", "assets", "queue/pgqueue", "internal/pgtest", "demo", "demo/postgres", "bench/site"},
	"github.com/gorilla/mux":     {"server"},
	"net/http":                   {"server", "cache/s3store", "cache/storetest", "internal/app", "bench/export", "bench/read"},
}

func TestImports(t *testing.T) {
	imports := load(t, "../..")
	known := map[string]int{}
	for i, m := range may {
		known[m.pkg] = i
	}
	for pkg, list := range imports {
		at, ok := known[pkg]
		if !ok {
			t.Errorf("package %s has no place in the layers", pkg)
			continue
		}
		for _, imported := range list {
			if own, isOwn := strings.CutPrefix(imported, "slashbatch/"); isOwn {
				if !slices.Contains(may[at].imports, own) {
					t.Errorf("%s imports %s, which it must not know", pkg, own)
				}
				if known[own] > at {
					t.Errorf("%s imports %s, which stands below it in the list: arrows point one way", pkg, own)
				}
			}
			for driver, owners := range drivers {
				if (imported == strings.TrimSuffix(driver, "/") || strings.HasPrefix(imported, driver)) && imported != "net/http/httptest" && !slices.Contains(owners, pkg) {
					t.Errorf("%s imports %s, which belongs to %v", pkg, imported, owners)
				}
			}
		}
	}
	if len(imports) < 15 {
		t.Errorf("only %d packages were looked at", len(imports))
	}
}

// load returns what the packages below root import, by folder.
func load(t *testing.T, root string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != root && (strings.HasPrefix(base, ".") || base == "tools" || base == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg := path.Clean(filepath.ToSlash(folder))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			out[pkg] = append(out[pkg], imported)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
