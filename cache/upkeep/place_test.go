package upkeep

import (
	"path/filepath"
	"testing"

	"slashbatch/cache"
)

// upgraded is a rig as the migration from the first version leaves it: with files in a
// store that has neither URL nor marker.
func upgraded(t *testing.T, files int) (r *rig, url string) {
	t.Helper()
	r = newRig(t)
	r.some(files)
	r.change(`UPDATE slashbatch.store SET url = '', marked = NULL WHERE id = $1`, r.store.ID)
	if err := r.store.Delete(t.Context(), cache.MarkerObject); err != nil {
		t.Fatal(err)
	}
	return r, "file://" + filepath.ToSlash(r.dir)
}

// Who upgrades and moves to another store in one restart names the new one first, and it is
// registered first. The files stay those of the old one, and nothing is lost on the way.
func TestUpgradeAndMoveAtOnce(t *testing.T) {
	r, url := upgraded(t, 30)
	fresh := r.folder(t.TempDir())
	old := r.register(r.store.Store, url)
	if old.ID != r.store.ID {
		t.Errorf("the old store is number %d, want %d", old.ID, r.store.ID)
	}
	r.Use(fresh.ID, old.ID)
	r.store = old
	r.copyAll(fresh, quick)
	if n, err := Retire(t.Context(), r, old, []Store{fresh}); n != 30 || err != nil {
		t.Errorf("%d deleted, %v", n, err)
	}
	r.agree(fresh, 30)
}

// The old store's URL has a row of its own already, with files, since it was away at the
// start: in the end all files are in one store.
func TestUpgradeWhileTheStoreIsAway(t *testing.T) {
	for name, files := range map[string]int{"few": 3, "with files of its own": 40} {
		t.Run(name, func(t *testing.T) {
			r, url := upgraded(t, files)
			away := broken(Store{Store: r.store.Store}, func(string, string) error { return errBroken })
			first, err := Register(t.Context(), r, away, url)
			if err != nil || first.Away == nil || first.ID == r.store.ID {
				t.Fatalf("away it is %+v, %v", first, err)
			}
			r.Use(first.ID)
			r.store.ID = first.ID
			r.publish("meanwhile", "id\nnew\n")
			old := r.register(r.store.Store, url)
			if old.ID != first.ID || r.count("store") != 1 {
				t.Errorf("it is store %d of %d, want %d alone", old.ID, r.count("store"), first.ID)
			}
			r.agree(old, files+1)
			if _, err := r.ByKey(t.Context(), "k001"); err != nil {
				t.Errorf("a file of before: %v", err)
			}
		})
	}
}

// A store with few of the files, or with others of the same names, is not theirs.
func TestUpgradeIntoAnotherStore(t *testing.T) {
	r, url := upgraded(t, 20)
	dir := t.TempDir()
	other := openFolder(t, dir)
	for i, object := range r.objects(r.store) {
		if i < 5 {
			whole, _ := packed("another content, of another length")
			put(t, other, object, whole)
		}
	}
	got := r.register(other, "file://"+filepath.ToSlash(dir))
	if got.ID == r.store.ID || r.count(`store WHERE url = ''`) != 1 {
		t.Errorf("it is taken for the store of the first version")
	}
	if got := r.register(r.store.Store, url); got.ID != r.store.ID {
		t.Errorf("the right one is number %d, want %d", got.ID, r.store.ID)
	}
}
