package jobs

import (
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
)

// A guard is asked only where what it gives decides something.
func TestGuardAsked(t *testing.T) {
	t.Parallel()
	value := "1"
	statement := &rows.Statement{SQL: "SELECT 1"}
	for _, tt := range []struct {
		name      string
		statement *rows.Statement
		entry     cache.Entry
		want      bool
	}{
		{"an entry past minFresh", statement, cache.Entry{Valid: true, Age: time.Minute, Guard: &value}, true},
		{"an older one", statement, cache.Entry{Valid: true, Age: time.Hour, Guard: new(string)}, true},
		{"within minFresh", statement, cache.Entry{Valid: true, Age: time.Minute - 1, Guard: &value}, false},
		{"expired", statement, cache.Entry{Age: time.Hour, Guard: &value}, false},
		{"pinned", statement, cache.Entry{Valid: true, Pinned: true, Age: time.Hour, Guard: &value}, false},
		{"none was asked", statement, cache.Entry{Valid: true, Age: time.Hour}, false},
		{"a request without a guard", nil, cache.Entry{Valid: true, Age: time.Hour, Guard: &value}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := Plan{Guard: tt.statement, MinFresh: time.Minute}.guard()
			if got := g.asked(tt.entry); got != tt.want {
				t.Errorf("asked: %v, want %v", got, tt.want)
			}
		})
	}
}

// A plan with a guard is of a version that workers refuse which do not know guards; others
// are of the version that they know.
func TestGuardedPlan(t *testing.T) {
	t.Parallel()
	for want, guard := range map[int]*rows.Statement{
		planVersion: nil, guardedVersion: {SQL: "SELECT $1", Args: []rows.Arg{{Value: "a"}, {Null: true}}},
	} {
		definition, err := Plan{Kind: KindExport, Key: "k", Guard: guard}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		p, err := decodePlan(definition)
		if err != nil || p.export.Version != want {
			t.Fatalf("version %+v, %v; want %d", p.export, err, want)
		}
		if guard != nil && (p.export.Guard.SQL != guard.SQL || len(p.export.Guard.Args) != 2 || !p.export.Guard.Args[1].Null) {
			t.Errorf("the guard is %+v", p.export.Guard)
		}
	}
}
