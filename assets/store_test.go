package assets

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"
)

// shop is a Store with a customer who has a space.
type shop struct {
	*Store
	t        *testing.T
	customer int
}

func open(t *testing.T) shop {
	t.Helper()
	s, err := Open(pgtest.New(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for i, want := range []int{1, 0} {
		if applied, err := s.Migrate(t.Context()); err != nil || len(applied) != want {
			t.Fatalf("migrating %d: %v, %v", i, applied, err)
		}
	}
	return shop{s, t, 0}.other()
}

// other is another customer of the same store, with a space, too.
func (s shop) other() shop {
	s.t.Helper()
	id, _, err := s.CreateCustomer(s.t.Context(), NewCustomer{Name: fmt.Sprint("c", rand.Uint64())})
	if err == nil {
		_, err = s.CreateSpace(s.t.Context(), id, "one")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.customer = id
	return s
}

func (s shop) post(keys ...string) int64 {
	s.t.Helper()
	return s.postWith(Posting{}, keys...)
}

func (s shop) postWith(p Posting, keys ...string) int64 {
	s.t.Helper()
	for _, key := range keys {
		p.Members = append(p.Members, Member{ID: key, Space: 1, Origin: "o", MediaType: "image/jpeg"})
	}
	id, err := s.CreateBatch(s.t.Context(), NewBatch{Customer: s.customer, Posting: p})
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

func (s shop) record(batch int64, status, why string, keys ...string) Recorded {
	s.t.Helper()
	r, err := s.Record(s.t.Context(), s.customer, batch, outcomes(status, why, keys...))
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func outcomes(status, why string, keys ...string) (list []Outcome) {
	for _, key := range keys {
		list = append(list, Outcome{Space: 1, Key: key, Status: status, Error: why})
	}
	return list
}

func keys(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s%04d", prefix, i))
	}
	return list
}

// value is the one value of a query, as text.
func (s shop) value(sql string, args ...any) (text string) {
	s.t.Helper()
	if err := s.pool.QueryRow(s.t.Context(), `SELECT (`+sql+`)::text`, args...).Scan(&text); err != nil {
		s.t.Fatal(sql, err)
	}
	return text
}

func (s shop) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(sql, err)
	}
}

// state is a batch in short: count/completed/errors, finished and superseded, events.
func (s shop) state(batch int64) string {
	s.t.Helper()
	return s.value(`SELECT count || '/' || completed || '/' || errors || CASE WHEN finished IS NULL THEN '' ELSE ' finished' END
		|| CASE WHEN superseded THEN ' superseded' ELSE '' END || ' ' || (SELECT count(*) FROM slashbatch.outbox o WHERE o.batch = b.id)
		FROM slashbatch.batch b WHERE id = $1`, batch)
}

func (s shop) wants(batch int64, state string) {
	s.t.Helper()
	if got := s.state(batch); got != state {
		s.t.Errorf("batch is %s, want %s", got, state)
	}
}

func (s shop) refused(err error, reason string) {
	s.t.Helper()
	r, ok := errors.AsType[*RefusedError](err)
	if !ok || !strings.Contains(r.Reason, reason) {
		s.t.Errorf("%v, want it refused: %s", err, reason)
	}
}

// Outcomes come in any order, twice, from several clients at once: each is counted once, and
// the last one finishes the batch, with one event.
func TestRecordAtOnce(t *testing.T) {
	s := open(t)
	for round := range 25 {
		list := keys("a", 8)
		batch := s.post(list...)
		var wg sync.WaitGroup
		var recorded, late, unchanged atomic.Int64
		for _, key := range append(list, list...) {
			wg.Go(func() {
				r, err := s.Record(context.Background(), s.customer, batch, outcomes(OutcomeCompleted, "", key))
				if err != nil {
					t.Error(err)
				}
				recorded.Add(int64(r.Recorded))
				late.Add(int64(r.Late))
				unchanged.Add(int64(r.Unchanged))
			})
		}
		wg.Wait()
		s.wants(batch, "8/8/0 finished 1")
		if recorded.Load() != 8 || late.Load()+unchanged.Load() != 8 {
			t.Errorf("round %d: %d recorded, %d late, %d unchanged", round, recorded.Load(), late.Load(), unchanged.Load())
		}
		if r := s.value(`SELECT revision FROM slashbatch.batch WHERE id = $1`, batch); r != "8" {
			t.Errorf("the revision is %s, want one for each member", r)
		}
	}
}

// Everything that changes batches and assets goes on at once. Nothing fails, no count is
// wrong, and in the end every batch is finished with one event.
func TestEverythingAtOnce(t *testing.T) {
	s := open(t)
	until := time.Now().Add(testenv.Race())
	pool := keys("k", 12)
	some := func() []string {
		rand.Shuffle(len(pool), func(i, j int) {})
		from := rand.IntN(len(pool) - 4)
		return pool[from : from+1+rand.IntN(4)]
	}
	var posted, retried, deleted, recorded atomic.Int64
	ctx := context.Background()
	anyBatch := func() int64 { return 1 + rand.Int64N(max(posted.Load(), 1)) }
	do := []func() error{
		func() error {
			var p Posting
			for _, key := range some() {
				p.Members = append(p.Members, Member{ID: key, Space: 1, Origin: "o", MediaType: "image/jpeg"})
			}
			id, err := s.CreateBatch(ctx, NewBatch{Customer: s.customer, Posting: p})
			posted.Store(max(posted.Load(), id))
			return err
		},
		func() error {
			work, err := s.Claim(ctx, s.customer, 5)
			for _, w := range work {
				if err != nil || w.Batch == 0 {
					continue
				}
				status, why := OutcomeCompleted, ""
				if rand.IntN(3) == 0 {
					status, why = OutcomeError, "broken"
				}
				_, key, _ := strings.Cut(strings.TrimPrefix(w.Asset, fmt.Sprint(s.customer, "/")), "/")
				for range 2 {
					_, err = s.Record(ctx, s.customer, w.Batch, outcomes(status, why, key))
				}
				recorded.Add(1)
			}
			return err
		},
		func() error { return s.DeleteAsset(ctx, s.customer, 1, some()[0]) },
		func() error { return s.Reingest(ctx, s.customer, 1, some()[0]) },
		func() error {
			id, err := s.Retry(ctx, s.customer, anyBatch(), "")
			if err == nil {
				retried.Add(1)
				posted.Store(max(posted.Load(), id))
			}
			return err
		},
		func() error { _, err := s.Reconcile(ctx, s.customer, anyBatch()); return err },
		func() error {
			_, err := s.pool.Exec(ctx, `UPDATE slashbatch.batch SET deadline = now() WHERE id = $1`, anyBatch())
			if err == nil {
				_, err = s.EndOverdue(ctx)
			}
			return err
		},
		func() error {
			_, err := s.Prune(ctx, Retention{Completed: time.Millisecond, KeepLast: 1}, false, nil)
			return err
		},
	}
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			for time.Now().Before(until) {
				err := do[i%len(do)]()
				_, refused := errors.AsType[*RefusedError](err)
				if err != nil && !refused && !errors.Is(err, ErrNotFound) {
					t.Error(err)
					return
				}
				if i%len(do) == 2 && err == nil {
					deleted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	s.exec(`UPDATE slashbatch.batch SET deadline = now()`)
	if _, err := s.EndOverdue(ctx); err != nil {
		t.Fatal(err)
	}
	testenv.Report(t, "batches, everything at once, for %v: %d posted, %d retried, %d outcomes, %d assets deleted", testenv.Race(), posted.Load(), retried.Load(), recorded.Load(), deleted.Load())
	for what, sql := range map[string]string{
		"open":                  `SELECT count(*) FROM slashbatch.batch WHERE finished IS NULL`,
		"without its event":     `SELECT count(*) FROM slashbatch.batch b WHERE NOT EXISTS (SELECT FROM slashbatch.outbox WHERE batch = b.id)`,
		"not what was posted":   `SELECT count(*) FROM slashbatch.batch WHERE completed + errors <> count`,
		"not what was recorded": `SELECT count(*) FROM slashbatch.batch b WHERE count <> pruned_count + (SELECT count(*) FROM slashbatch.batch_asset WHERE batch_id = b.id)`,
		"wrongly counted": `SELECT count(*) FROM slashbatch.batch b WHERE pruned_count = 0 AND (completed, errors) <> (SELECT count(*) FILTER (WHERE status = 'completed'),
			count(*) FILTER (WHERE status = 'error') FROM slashbatch.batch_asset WHERE batch_id = b.id)`,
	} {
		if n := s.value(sql); n != "0" {
			t.Errorf("%s batches are %s", n, what)
		}
	}
	if posted.Load() == 0 || retried.Load() == 0 || deleted.Load() == 0 || recorded.Load() == 0 {
		t.Error("nothing met; the run shows nothing")
	}
}

// Events of a customer commit in the order of their ids: who goes on behind the last one it
// has seen misses none.
func TestEventsInOrder(t *testing.T) {
	s := open(t)
	const n = 60
	var batches []int64
	for range n {
		batches = append(batches, s.post("x"))
	}
	var wg sync.WaitGroup
	for _, batch := range batches {
		wg.Go(func() {
			if _, err := s.Record(context.Background(), s.customer, batch, outcomes(OutcomeCompleted, "", "x")); err != nil {
				t.Error(err)
			}
		})
	}
	var seen []int64
	for last := int64(0); len(seen) < n && !t.Failed(); {
		events, err := s.Events(t.Context(), s.customer, last, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			last = e.ID
			seen = append(seen, e.ID)
		}
		if missed := s.value(`SELECT count(*) FROM slashbatch.outbox WHERE id <= $1`, last); missed != fmt.Sprint(len(seen)) {
			t.Fatalf("%s events up to %d, and %d were seen", missed, last, len(seen))
		}
	}
	wg.Wait()
}

// One ingester has a member until its lease is over; priority comes first.
func TestClaim(t *testing.T) {
	s := open(t)
	usual := s.post(keys("u", 5)...)
	urgent, err := s.CreateBatch(t.Context(), NewBatch{Customer: s.customer, Priority: true, Posting: Posting{Members: []Member{{ID: "p", Space: 1, Origin: "o", MediaType: "image/jpeg"}}}})
	if err != nil {
		t.Fatal(err)
	}
	s.other().post("theirs")
	first, err := s.Claim(t.Context(), s.customer, 2)
	if err != nil || len(first) != 2 || first[0].Batch != urgent || first[1].Batch != usual {
		t.Fatalf("%+v, %v", first, err)
	}
	var mu sync.Mutex
	seen := map[Work]int{}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			work, err := s.Claim(context.Background(), s.customer, 3)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for _, w := range work {
				seen[w]++
			}
		})
	}
	wg.Wait()
	if len(seen) != 4 {
		t.Errorf("handed out %v", seen)
	}
	s.exec(`UPDATE slashbatch.batch_asset SET leased_until = now() WHERE asset_id LIKE '%u0002'`)
	again, err := s.Claim(t.Context(), s.customer, 10)
	if err != nil || len(again) != 1 || !strings.HasSuffix(again[0].Asset, "u0002") {
		t.Errorf("after a lease: %v, %v", again, err)
	}
	if n := s.value(`SELECT attempt FROM slashbatch.batch_asset WHERE asset_id LIKE '%u0002'`); n != "2" {
		t.Errorf("attempt %s", n)
	}
}

// A POST that is answered once has the same answer, also while it is under way.
func TestIdempotentPost(t *testing.T) {
	s := open(t)
	n := NewBatch{Customer: s.customer, IdempotencyKey: "one", Digest: [32]byte{1}, Posting: Posting{Members: []Member{{ID: "a", Space: 1, Origin: "o", MediaType: "image/jpeg"}}}}
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[int64]bool{}
	for range 8 {
		wg.Go(func() {
			id, err := s.CreateBatch(context.Background(), n)
			mu.Lock()
			defer mu.Unlock()
			if ids[id] = true; err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(ids) != 1 || s.value(`SELECT count(*) FROM slashbatch.batch`) != "1" {
		t.Errorf("batches %v", ids)
	}
	n.Digest[0] = 2
	if _, err := s.CreateBatch(t.Context(), n); !errors.Is(err, ErrOtherBody) {
		t.Errorf("another body: %v", err)
	}
}

// A batch goes wholly or not at all.
func TestBatchIsWhole(t *testing.T) {
	s := open(t)
	s.post("kept", "b")
	s.exec(`UPDATE slashbatch.asset SET not_for_delivery = true WHERE key = 'b'`)
	for reason, p := range map[string]Posting{
		"NotForDelivery":            {Members: []Member{{ID: "new", Space: 1, Origin: "o", MediaType: "m"}, {ID: "b", Space: 1, Origin: "o", MediaType: "m"}}},
		"could not be found: 7, 99": {Members: []Member{{ID: "new", Space: 1, Origin: "o", MediaType: "m"}, {ID: "b", Space: 99}, {ID: "b", Space: 7}}},
	} {
		_, err := s.CreateBatch(t.Context(), NewBatch{Customer: s.customer, Posting: p})
		s.refused(err, reason)
	}
	if n := s.value(`SELECT count(*) FROM slashbatch.batch`) + s.value(`SELECT count(*) FROM slashbatch.asset WHERE key = 'new'`); n != "10" {
		t.Errorf("%s are left of refused batches", n)
	}
}

// What a member leaves out, an asset keeps.
func TestWhatIsLeftOut(t *testing.T) {
	s := open(t)
	red, family, five := "red", "T", int64(5)
	post := func(m Member) {
		m.ID, m.Space, m.Origin, m.MediaType = "a", 1, "o", "m"
		if _, err := s.CreateBatch(t.Context(), NewBatch{Customer: s.customer, Posting: Posting{Members: []Member{m}}}); err != nil {
			t.Fatal(err)
		}
	}
	want := func(text string) {
		t.Helper()
		if got := s.value(`SELECT format('%s %s %s %s %s', family, string1, number1, tags, ingesting) FROM slashbatch.asset`); got != text {
			t.Errorf("the asset is %s, want %s", got, text)
		}
	}
	post(Member{})
	want("I   {} t")
	post(Member{String1: &red, Number1: &five, Family: &family, Tags: []string{"x", "y"}})
	want("T red 5 {x,y} t")
	post(Member{})
	want("T red 5 {x,y} t")
	empty := ""
	post(Member{String1: &empty, Tags: []string{}})
	want("T  5 {} t")
}

func TestOverdue(t *testing.T) {
	s := open(t)
	late, open := s.post("a", "b", "c"), s.post("c", "d")
	s.record(late, OutcomeError, "broken", "a")
	s.exec(`UPDATE slashbatch.batch SET deadline = now() - interval '1 s' WHERE id = $1`, late)
	if n, err := s.EndOverdue(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	s.wants(late, "3/0/3 finished 1")
	s.wants(open, "2/0/0 0")
	got := s.value(`SELECT string_agg(key || ' ' || ingesting || ' ' || error, ', ' ORDER BY key) FROM slashbatch.asset`)
	if want := "a false broken, b false timed out, c true , d true "; got != want {
		t.Errorf("assets are %s, want %s", got, want)
	}
	if r := s.record(late, OutcomeCompleted, "", "b"); r != (Recorded{Late: 1}) {
		t.Errorf("%+v", r)
	}
	s.wants(late, "3/0/3 finished 1")
	if got := s.value(`SELECT ingesting || error FROM slashbatch.asset WHERE key = 'b'`); got != "false" {
		t.Errorf("the asset is %s", got)
	}
}

func TestDeleteWhileWaiting(t *testing.T) {
	s := open(t)
	old, now := s.post("a"), s.post("a", "b")
	s.record(old, OutcomeCompleted, "", "a")
	before := s.value(`SELECT revision FROM slashbatch.batch WHERE id = $1`, old)
	s.record(now, OutcomeCompleted, "", "b")
	if err := s.DeleteAsset(t.Context(), s.customer, 1, "a"); err != nil {
		t.Fatal(err)
	}
	s.wants(old, "1/1/0 finished 1")
	s.wants(now, "2/1/1 finished 1")
	if after := s.value(`SELECT revision FROM slashbatch.batch WHERE id = $1`, old); after == before {
		t.Error("a batch that has lost an asset has the same revision")
	}
	if err := s.DeleteAsset(t.Context(), s.customer, 1, "a"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted twice: %v", err)
	}
}

// Batches, assets and queries of others are not there.
func TestOthersAreNotThere(t *testing.T) {
	s := open(t)
	batch := s.post("a")
	o := s.other()
	_, errRecord := s.Record(t.Context(), o.customer, batch, outcomes(OutcomeCompleted, "", "a"))
	_, errRetry := s.Retry(t.Context(), o.customer, batch, "")
	_, errTest := s.Reconcile(t.Context(), o.customer, batch)
	_, errBatch := s.Batch(t.Context(), o.customer, batch)
	for i, err := range []error{errRecord, errRetry, errTest, errBatch, s.DeleteAsset(t.Context(), o.customer, 1, "a"), s.HasAsset(t.Context(), o.customer, 1, "a")} {
		if !errors.Is(err, ErrNotFound) {
			t.Errorf("%d: %v", i, err)
		}
	}
	s.wants(batch, "1/0/0 0")
}
