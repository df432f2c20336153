package queuetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"slashbatch/queue"
)

func testProgress(t *testing.T, open Open) {
	tell(t, open, []story{
		{name: "a beat reports progress and steps", run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			if j := f.get(h.Job, queue.Running); j.Steps != nil || j.Outcome != nil {
				f.Errorf("steps %q, outcome %q before any", j.Steps, j.Outcome)
			}
			big := queue.Progress{Rows: 1<<53 + 1, Bytes: 1<<62 + 1, Total: 1<<53 + 3}
			for _, b := range []struct {
				progress queue.Progress
				steps    []byte
				want     string
			}{
				{queue.Progress{Rows: 1, Bytes: 2, Total: 3}, []byte("{\"s\":\"\xff\x00\"}"), "{\"s\":\"\xff\x00\"}"},
				{big, nil, "{\"s\":\"\xff\x00\"}"}, // nil leaves the steps
				{queue.Progress{}, []byte("b"), "b"},
			} {
				f.must(f.beat(queue.Beat{Holder: h, Progress: b.progress, Steps: b.steps}))
				j := f.get(h.Job, queue.Running)
				if diff := cmp.Diff(b.progress, j.Progress); diff != "" {
					f.Errorf("progress (-want +got):\n%s", diff)
				}
				if string(j.Steps) != b.want {
					f.Errorf("steps %q, want %q", j.Steps, b.want)
				}
			}
		}},
		{name: "progress ends with its claim, steps stay", run: func(f *fixture) {
			h := f.take(f.add("ann", 1)[0])
			f.must(f.beat(queue.Beat{Holder: h, Progress: queue.Progress{Rows: 7}, Steps: []byte("one")}))
			f.must(f.Release(f.ctx, h))
			h, c := f.claim(queue.LaneExport)
			if c.Job.Progress != (queue.Progress{}) || string(c.Job.Steps) != "one" {
				f.Errorf("progress %+v, steps %q", c.Job.Progress, c.Job.Steps)
			}
			f.must(f.beat(queue.Beat{Holder: h, Progress: queue.Progress{Rows: 9}, Steps: []byte("two")}))
			f.must(f.Finish(f.ctx, h, queue.Success{Outcome: []byte("{\"o\":\"\xfe\"}")}))
			j := f.get(h.Job, queue.Done)
			if j.Progress.Rows != 9 || string(j.Steps) != "two" || string(j.Outcome) != "{\"o\":\"\xfe\"}" {
				f.Errorf("progress %+v, steps %q, outcome %q", j.Progress, j.Steps, j.Outcome)
			}
		}},
		{name: "live workers' slots add up", run: func(f *fixture) {
			beat := func(id string, sql, export int) {
				f.Helper()
				w := queue.Worker{ID: id, Slots: map[queue.Lane]int{queue.LaneSQL: sql, queue.LaneExport: export}}
				_, err := f.Beat(f.ctx, w, nil)
				f.must(err)
			}
			slots := func(sql, export int) {
				f.Helper()
				s := f.snapshot()
				if a, b := s.Lanes[queue.LaneSQL].Slots, s.Lanes[queue.LaneExport].Slots; a != sql || b != export {
					f.Errorf("slots %d and %d, want %d and %d", a, b, sql, export)
				}
			}
			beat("w1", 1, 4)
			beat("w2", 0, 2)
			beat("w2", 0, 2)
			slots(1, 6)
			beat("w2", 2, 0)
			slots(3, 4)
			beat("w1", 0, 0) // it drains
			beat("w3", 0, 0)
			slots(2, 0)
		}},
	})
}
