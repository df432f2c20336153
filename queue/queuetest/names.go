package queuetest

import (
	"fmt"
	"testing"

	"slashbatch/queue"
)

func testNames(t *testing.T, open Open) {
	// Each name must stay a user of its own: a backend encodes it into keys.
	names := []string{
		"ann", "ann:export", "ann:sql", "ann:", ":ann", "ann%3Aexport", "ann%3aexport", "%", "%%", "%25",
		"{ann}", "{}", "{", "a b", "a\nb", "a\r\nb", "a\x00b", "\x00", "\xff\xfe", "é", "e\u0301", "ß", "名前", "👩‍🚀",
		"*", "?", "[a]", "a/b", "../a", "'", `"`, `\`, "ANN", "~", ".", "-", "_", "users", "ready", "0", "-1",
		"2001:db8::/64", "nil", "false",
	}
	tell(t, open, []story{
		{name: "odd names are users of their own", run: func(f *fixture) {
			jobs := map[string]string{}
			for _, name := range names {
				sql := export(name)
				sql.Lane = queue.LaneSQL
				f.enqueue(sql)
				jobs[name] = f.add(name, 1)[0]
			}
			for _, lane := range queue.Lanes {
				for _, name := range names { // in the order of arrival: each has a line of its own
					h, c := f.claim(lane)
					if c == nil || c.Job.User != name {
						f.Fatalf("lane %s: claimed %+v, want a job of %q", lane, c, name)
					}
					f.finish(h)
				}
			}
			for _, name := range names {
				page, err := f.List(f.ctx, name, 0, 10)
				f.must(err)
				if len(page) != 2 || page[0].ID != jobs[name] || page[0].User != name {
					f.Errorf("List(%q): %+v", name, page)
				}
				for _, other := range names {
					waits, err := f.Waits(f.ctx, jobs[name], other)
					f.must(err)
					if waits != (other == name) {
						f.Errorf("job of %q: Waits(%q) is %v", name, other, waits)
					}
				}
			}
		}},
		{name: "odd names of waiters", run: func(f *fixture) {
			id := f.add("ann", 1)[0]
			for _, name := range names {
				_, err := f.Join(f.ctx, id, name, 1)
				f.must(err)
			}
			for _, name := range names[1:] {
				f.leave(id, name, queue.StillWanted)
			}
			f.leave(id, "ann", queue.Removed)
		}},
		{name: "odd names of sources", run: func(f *fixture) {
			capacities := map[string]int{}
			for _, name := range names {
				capacities[name] = 1
			}
			f.must(f.SetCapacities(f.ctx, capacities))
			for i, name := range names {
				for range 2 {
					s := export(fmt.Sprint("user", i))
					s.Source, s.RunningCap = name, 2
					f.enqueue(s)
				}
			}
			for range names {
				f.take("")
			}
			f.nothing()
		}},
	})
}
