package queuetest

import (
	"errors"
	"testing"

	"slashbatch/queue"
)

func testOrder(t *testing.T, open Open) {
	// served tells who is served when jobs were submitted in this order, by one
	// worker that finishes each before it claims the next.
	served := func(name, submitted, want string) story {
		return story{name: name, run: func(f *fixture) {
			for _, user := range submitted {
				f.add(string(user), 1)
			}
			if got := f.drainOrder(); got != want {
				f.Errorf("submitted %s: served %s, want %s", submitted, got, want)
			}
		}}
	}
	tell(t, open, []story{
		served("two users with two jobs each take turns", "AABB", "ABAB"), // C-114
		served("one user with one job runs once", "A", "A"),               // C-116
		served("three users in the order of arrival", "ABC", "ABC"),       // C-117
		served("the shorter lists end first", "AAABBC", "ABCABA"),         // C-118
		served("a crowd is served before a backlog goes on", "AAAAABCDE", "ABCDEAAAA"),

		{name: "one list is first in, first out", run: func(f *fixture) { // C-077, C-078, C-080, S-025, S-027, S-045, R-071
			for _, id := range f.add("ann", 5) {
				f.finish(f.take(id))
			}
			f.nothing()
		}},
		{name: "who comes again while another runs waits for that one", run: func(f *fixture) { // C-115
			a, b := f.add("A", 1), f.add("B", 1)
			f.finish(f.take(a[0]))
			running := f.take(b[0])
			a = f.add("A", 1)
			h := f.take(a[0])
			f.finish(running)
			b = f.add("B", 1)
			f.finish(h)
			f.finish(f.take(b[0]))
			f.nothing()
		}},
		{name: "a newcomer waits for one job of a backlog", run: func(f *fixture) {
			big := f.add("big", 20)
			h := f.take(big[0])
			small := f.add("small", 1)
			f.finish(h)
			f.take(small[0])
		}},
		{name: "endless newcomers do not starve a backlog", run: func(f *fixture) {
			f.add("A", 3)
			f.finish(f.take(""))
			f.add("B", 1)
			f.add("C", 1)
			f.finish(f.take("")) // A, who stood before them
			f.add("D", 1)
			f.finish(f.take("")) // B
			f.add("E", 1)
			if got := f.drainOrder(); got != "CADE" {
				f.Errorf("served %s, want CADE: who comes later stands behind A", got)
			}
		}},
		{name: "the fewest running jobs come first", run: func(f *fixture) {
			s := func(user string) queue.Submission { s := export(user); s.RunningCap = 3; return s }
			for range 3 {
				f.enqueue(s("A"))
			}
			f.take("") // A has one running
			f.take("") // and two
			b := f.enqueue(s("B")).ID
			b2 := f.enqueue(s("B")).ID
			f.take(b)  // 0 against 2
			f.take(b2) // 1 against 2
			f.take("") // 2 against nothing pending
			f.nothing()
		}},
		{name: "a start moves a list to the end of the line", run: func(f *fixture) {
			for _, user := range "ABAB" {
				s := export(string(user))
				s.RunningCap = 2
				f.enqueue(s)
			}
			var got string
			for range 4 {
				_, c := f.claim(queue.LaneExport)
				got += c.Job.User
			}
			if got != "ABAB" {
				f.Errorf("started %s, want ABAB", got)
			}
		}},
		{name: "an end moves a list to the end of the line", run: func(f *fixture) {
			a := f.add("A", 2)
			h := f.take(a[0])
			b := f.add("B", 1) // behind A's start
			f.finish(h)        // now A stands behind B
			f.take(b[0])
			f.take(a[1])
		}},
		{name: "a list that emptied joins at the end again", run: func(f *fixture) {
			a := f.add("A", 1)
			b := f.add("B", 1)
			f.cancel(a[0], queue.Removed)
			a = f.add("A", 1)
			f.take(b[0])
			f.take(a[0])
		}},
		{name: "a cancel of a pending job moves nobody", run: func(f *fixture) {
			a := f.add("A", 2)
			b := f.add("B", 1)
			f.cancel(a[0], queue.Removed)
			f.take(a[1])
			f.take(b[0])
		}},
	})
}

func testCaps(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "a list runs no more than its running cap", run: func(f *fixture) { // C-074
			for _, limit := range []int{1, 3} {
				var held []queue.Holder
				for range limit + 2 {
					s := export("ann")
					s.RunningCap = limit
					f.enqueue(s)
				}
				for range limit {
					held = append(held, f.take(""))
				}
				f.nothing()
				for range 2 {
					f.finish(held[0])
					held = append(held[1:], f.take(""))
				}
				for _, h := range held {
					f.finish(h)
				}
				f.nothing()
			}
		}},
		{name: "others pass a list at its cap", run: func(f *fixture) {
			f.add("ann", 3)
			f.take("")
			b := f.add("bob", 1)
			f.take(b[0])
			f.nothing()
		}},
		{name: "the running cap of the newest submission holds", run: func(f *fixture) {
			f.add("ann", 3)
			f.take("")
			f.nothing()
			s := export("ann")
			s.RunningCap = 3
			f.enqueue(s)
			f.take("")
			f.take("")
			f.nothing()
			s = export("ann")
			s.RunningCap = 1
			f.enqueue(s)
			f.nothing()
		}},
		{name: "a full list refuses and changes nothing", run: func(f *fixture) { // C-016, C-240
			s := export("ann")
			s.QueuedCap = 2
			f.enqueue(s)
			h := f.take(s.ID) // running jobs do not count
			for range 2 {
				s.ID = export("").ID
				f.enqueue(s)
			}
			version := f.snapshot().Version
			s.ID, s.Key = export("").ID, "k"
			full(f, s, 2)
			if v := f.snapshot().Version; v != version {
				f.Errorf("version %d, then %d after a refusal", version, v)
			}
			_, err := f.Get(f.ctx, s.ID)
			notFound(f, "Get", err)
			_, err = f.ByKey(f.ctx, "k")
			notFound(f, "ByKey", err)
			f.take(f.add("bob", 1)[0]) // others are free to come

			f.finish(h)
			full(f, s, 2)
			f.take("")
			f.enqueue(s)
		}},
		{name: "a cancelled job frees its place at once", run: func(f *fixture) { // C-240
			s := export("ann")
			s.QueuedCap = 1
			first := f.enqueue(s).ID
			s.ID = export("").ID
			full(f, s, 1)
			f.cancel(first, queue.Removed)
			f.enqueue(s)
		}},
		{name: "a cap of 0 is none", run: func(f *fixture) {
			f.add("ann", 100)
		}},
		{name: "lanes do not hold each other up", run: func(f *fixture) {
			for _, lane := range queue.Lanes {
				s := export("ann")
				s.Lane, s.QueuedCap = lane, 1
				f.enqueue(s)
				s.ID = export("").ID
				full(f, s, 1)
			}
			for _, lane := range queue.Lanes {
				h, c := f.claim(lane)
				if c == nil || c.Job.Lane != lane {
					f.Fatalf("lane %s: claimed %+v", lane, c)
				}
				if _, c := f.claim(lane); c != nil {
					f.Fatalf("lane %s: claimed a second time", lane)
				}
				defer f.finish(h)
			}
		}},
		{name: "one key stands in all lanes", run: func(f *fixture) {
			sql := keyed("ann", "k", "")
			sql.Lane = queue.LaneSQL
			f.enqueue(sql)
			e, err := f.Enqueue(f.ctx, keyed("ann", "k", ""))
			f.must(err)
			if e.Created || e.Job.ID != sql.ID {
				f.Errorf("created %v, job %s; want %s", e.Created, e.Job.ID, sql.ID)
			}
		}},
	})
}

// full holds that a submission is refused with this many pending.
func full(f *fixture, s queue.Submission, queued int) {
	f.Helper()
	_, err := f.Enqueue(f.ctx, s)
	var e *queue.FullError
	if !errors.As(err, &e) {
		f.Fatalf("Enqueue: %v, want a FullError", err)
	}
	if e.Queued != queued || e.Cap != s.QueuedCap {
		f.Fatalf("Enqueue: %v; want %d waiting of %d", e, queued, s.QueuedCap)
	}
}
