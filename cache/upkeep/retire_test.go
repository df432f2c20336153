package upkeep

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"slashbatch/cache"
)

// moved is a rig with n files that were copied to a further store.
func moved(t *testing.T, n int) (*rig, Store) {
	t.Helper()
	r := newRig(t)
	r.some(n)
	fresh := r.folder(t.TempDir())
	r.Use(fresh.ID, r.store.ID)
	r.copyAll(fresh, quick)
	return r, fresh
}

// All files were copied to another store, and have been lost there, or it cannot be told
// whether they are: nothing is deleted, whatever the books say.
func TestRetireKeepsWhatNoOtherStoreWasSeenToHave(t *testing.T) {
	const files = 10
	for name, lose := range map[string]func(r *rig, s Store) []Store{
		"emptied, marker and all": func(r *rig, s Store) []Store {
			for _, object := range append(r.objects(s), cache.MarkerObject) {
				if err := s.Delete(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
			return []Store{s}
		},
		"emptied": func(r *rig, s Store) []Store {
			for _, object := range r.objects(s) {
				if err := s.Delete(t.Context(), object); err != nil {
					t.Fatal(err)
				}
			}
			return []Store{s}
		},
		"without its marker": func(_ *rig, s Store) []Store {
			if err := s.Delete(t.Context(), cache.MarkerObject); err != nil {
				t.Fatal(err)
			}
			return []Store{s}
		},
		"cut short": func(r *rig, s Store) []Store {
			for _, object := range r.objects(s) {
				put(t, s, object, []byte("x"))
			}
			return []Store{s}
		},
		"away": func(_ *rig, s Store) []Store {
			return []Store{broken(s, func(op, _ string) error {
				if op == "stat" {
					return errBroken
				}
				return nil
			})}
		},
		"not open": func(*rig, Store) []Store { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			r, fresh := moved(t, files)
			others := lose(r, fresh)
			for range 2 {
				n, err := Retire(t.Context(), r, r.store, others)
				doubt, ok := errors.AsType[*UnconfirmedError](err)
				if !ok || n != 0 || doubt.Files != files || len(doubt.Objects) != files {
					t.Fatalf("%d deleted, %v; want %d files that stay", n, err, files)
				}
			}
			if n := len(r.objects(r.store)); n != files {
				t.Errorf("%d of %d files are left", n, files)
			}
			if n := r.count(`location WHERE store = $1 AND state = 'live'`, r.store.ID); n != files {
				t.Errorf("the books have %d of %d files", n, files)
			}
		})
	}
}

// Some files are not in the other store: those stay, and the others go. Once they are
// copied again the rest goes, too.
func TestRetireTakesWhatIsElsewhere(t *testing.T) {
	r, fresh := moved(t, 40)
	lost := []string{"results/k003.c.csv.gz", "results/k017.c.csv.gz"}
	for _, object := range lost {
		if err := fresh.Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	n, err := Retire(t.Context(), r, r.store, []Store{fresh})
	doubt, ok := errors.AsType[*UnconfirmedError](err)
	if !ok || n != 38 || !slices.Equal(doubt.Objects, lost) {
		t.Fatalf("%d deleted, %v; want 38, and %q named", n, err, lost)
	}
	if left := r.objects(r.store); !slices.Equal(left, lost) {
		t.Errorf("left: %q", left)
	}
	r.settle()
	if _, found := r.findings(fresh, VerifyOptions{MarkMissing: true}); len(found) != 2 {
		t.Errorf("found %v", found)
	}
	r.copyAll(fresh, quick)
	if n, err := Retire(t.Context(), r, r.store, []Store{fresh}); n != 2 || err != nil {
		t.Errorf("%d deleted, %v; want the 2", n, err)
	}
	r.agree(fresh, 40)
}

// The books may be wrong about which store is which: an object that they have in another
// store goes only if it was seen there.
func TestRetireKeepsFilesOfAStoreThatIsNotOpen(t *testing.T) {
	r := newRig(t)
	r.some(10)
	other := r.folder(t.TempDir()) // which is said to have them all
	r.change(`UPDATE slashbatch.location SET store = $1`, other.ID)
	r.old("results/orphan", time.Hour)
	for _, others := range [][]Store{nil, {other}} {
		_, err := Retire(t.Context(), r, r.store, others)
		if doubt, ok := errors.AsType[*UnconfirmedError](err); !ok || doubt.Files != 10 {
			t.Errorf("got %v, want 10 files that stay", err)
		}
		if n := len(r.objects(r.store)); n != 10 {
			t.Errorf("%d of 10 files are left", n)
		}
	}
}

// A file that is noted as missing, and is there all the same, is no less the only one.
func TestRetireKeepsWhatCameBack(t *testing.T) {
	r, fresh := moved(t, 3)
	object := "results/k001.c.csv.gz"
	r.change(`DELETE FROM slashbatch.location WHERE store = $1 AND object = $2`, fresh.ID, object)
	r.change(`UPDATE slashbatch.location SET state = 'missing' WHERE store = $1 AND object = $2`, r.store.ID, object)
	n, err := Retire(t.Context(), r, r.store, []Store{fresh})
	if doubt, ok := errors.AsType[*UnconfirmedError](err); !ok || n != 2 || !slices.Equal(doubt.Objects, []string{object}) {
		t.Errorf("%d deleted, %v; want %s to stay", n, err, object)
	}
}

// The rows of a SQL job that has not ended are in no location yet.
func TestRetireWaitsForDrafts(t *testing.T) {
	r, fresh := moved(t, 1)
	put(t, r.store, "results/draft", []byte("rows"))
	r.Use(r.store.ID)
	if err := r.Draft(t.Context(), "results/draft"); err != nil {
		t.Fatal(err)
	}
	_, err := Retire(t.Context(), r, r.store, []Store{fresh})
	if draft, ok := errors.AsType[*DraftError](err); !ok || draft.Files != 1 || len(r.objects(r.store)) != 2 {
		t.Errorf("got %v, want a DraftError", err)
	}
	if err := r.DropDraft(t.Context(), "results/draft"); err != nil {
		t.Fatal(err)
	}
	if n, err := Retire(t.Context(), r, r.store, []Store{fresh}); n != 2 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
}

// However many files stay, few are named.
func TestUnconfirmedIsBounded(t *testing.T) {
	var e UnconfirmedError
	for i := range 25 {
		e.add(fmt.Sprint(i), "more")
	}
	if e.Files != 50 || len(e.Objects) != named {
		t.Errorf("%d files, %d named", e.Files, len(e.Objects))
	}
}
