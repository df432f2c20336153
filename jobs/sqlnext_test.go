package jobs

import (
	"strings"
	"testing"

	"slashbatch/queue"

	"github.com/google/go-cmp/cmp"
)

// document reads steps from a line such as "done/done failed/running skipped | pending":
// each step with its fallback, then the job's.
func document(line string) (s steps) {
	record := func(word string) *step {
		if word == "" {
			return nil
		}
		return &step{State: StepState(word)}
	}
	main, fallback, _ := strings.Cut(line, "|")
	for _, word := range strings.Fields(main) {
		own, after, _ := strings.Cut(word, "/")
		s.Main = append(s.Main, step{State: StepState(own), Fallback: record(after)})
	}
	s.Fallback = record(strings.TrimSpace(fallback))
	return s
}

// Wherever an earlier claim broke off, the document says how to go on.
func TestNextStep(t *testing.T) {
	plain := SQLPlan{Steps: []SQLStep{{}, {}}}
	both := SQLPlan{Steps: []SQLStep{{OnSuccess: "s1", OnError: "e1"}, {OnSuccess: "s2", OnError: "e2"}}, OnSuccess: "s", OnError: "e"}
	success := SQLPlan{Steps: []SQLStep{{OnSuccess: "s1"}, {}}, OnSuccess: "s"}
	failure := SQLPlan{Steps: []SQLStep{{OnError: "e1"}, {}}, OnError: "e"}
	own := func(i int) place { return place{step: i} }
	after := func(i int) place { return place{i, true} }
	for _, tt := range []struct {
		plan     SQLPlan
		document string
		want     place
		move     move
	}{
		{plain, "pending pending", own(0), runStep},
		{plain, "done pending", own(1), runStep},
		{plain, "done running", own(1), endStep},
		{plain, "done failed", own(1), giveUp},
		{plain, "failed pending", own(0), giveUp},
		{plain, "unknown skipped", own(0), giveUp},
		{plain, "done skipped", own(1), giveUp},
		{plain, "done done", own(2), complete},

		{both, "done pending", after(0), runStep},
		{both, "done/pending pending", after(0), runStep},
		{both, "done/running pending", after(0), endStep},
		{both, "done/done pending", own(1), runStep},
		{both, "done/failed pending", own(1), runStep},
		{both, "done/unknown pending", own(1), runStep},
		{both, "done/done done", after(1), runStep},
		{both, "done/done done/done", after(2), runStep},
		{both, "done/done done/failed | running", after(2), endStep},
		{both, "done/done done/done | failed", own(2), complete},
		{both, "failed skipped", after(0), runStep},
		{both, "failed/done skipped", after(2), runStep},
		{both, "failed/failed skipped | done", own(0), giveUp},
		{both, "unknown skipped", after(0), runStep},
		{both, "skipped skipped", after(2), runStep},

		{success, "failed skipped", own(0), giveUp},
		{success, "done/done done", after(2), runStep},
		{failure, "done pending", own(1), runStep},
		{failure, "done done", own(2), complete},
		{failure, "done failed", after(2), runStep},
	} {
		s := document(tt.document)
		if got, m := s.next(&tt.plan); got != tt.want || m != tt.move {
			t.Errorf("%+v, %q: %v %v, want %v %v", tt.plan, tt.document, got, m, tt.want, tt.move)
		}
	}
}

// What a sender sees, at every moment of a job.
func TestSQLStatus(t *testing.T) {
	line := func(s SQLStatus) string {
		word := func(status, fallback StepState) string {
			if fallback == "" {
				return string(status)
			}
			return string(status) + "/" + string(fallback)
		}
		words := []string{word(s.Status, s.FallbackStatus) + ":"}
		for _, step := range s.Steps {
			words = append(words, word(step.Status, step.FallbackStatus))
		}
		return strings.Join(words, " ")
	}
	one := SQLPlan{Steps: []SQLStep{{OnSuccess: "s1"}}}
	bad := SQLPlan{Steps: []SQLStep{{OnError: "e1"}}}
	job := SQLPlan{Steps: []SQLStep{{}}, OnSuccess: "s"}
	all := SQLPlan{Steps: []SQLStep{{OnSuccess: "s1", OnError: "e1"}, {OnSuccess: "s2"}}, OnSuccess: "s", OnError: "e"}
	for _, tt := range []struct {
		plan     SQLPlan
		state    queue.State
		document string
		want     string
	}{
		{one, queue.Pending, "pending", "pending: pending/pending"},
		{one, queue.Running, "running", "running: running/pending"},
		{one, queue.Running, "done", "running: done/pending"},
		{one, queue.Running, "done/running", "running: done/running"},
		{one, queue.Running, "done/done", "done: done/done"},
		{one, queue.Done, "done/done", "done: done/done"},
		{one, queue.Failed, "failed", "failed: failed/skipped"},
		{bad, queue.Running, "failed", "running: failed/pending"},
		{bad, queue.Failed, "failed/done", "failed: failed/done"},
		{bad, queue.Done, "done", "done: done/skipped"},
		{job, queue.Running, "running", "running/pending: running"},
		{job, queue.Running, "done", "done/pending: done"},
		{job, queue.Running, "done | running", "done/running: done"},
		{job, queue.Done, "done | failed", "done/failed: done"},
		{job, queue.Failed, "failed", "failed/skipped: failed"},
		{job, queue.Cancelled, "done | running", "done/cancelled: done"},
		{job, queue.Cancelled, "done", "done/skipped: done"},
		{job, queue.Cancelled, "running", "cancelled/skipped: cancelled"},
		{all, queue.Running, "failed skipped", "running/pending: failed/pending skipped/skipped"},
		{all, queue.Running, "failed/done skipped", "failed/pending: failed/done skipped/skipped"},
		{all, queue.Failed, "failed/done skipped | done", "failed/done: failed/done skipped/skipped"},
		{all, queue.Cancelled, "running pending", "cancelled/skipped: cancelled/skipped skipped/skipped"},
		{all, queue.Cancelled, "done/running pending", "cancelled/skipped: done/cancelled skipped/skipped"},
		{all, queue.Cancelled, "", "cancelled/skipped: cancelled/skipped skipped/skipped"},
		{all, queue.Pending, "done/done pending", "pending/pending: done/done pending/pending"},
		{all, queue.Failed, "done/done running", "failed/skipped: done/done unknown/skipped"},
	} {
		j := queue.Job{State: tt.state, Steps: document(tt.document).encode()}
		got, err := SQLStatusOf(j, tt.plan)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, line(got)); diff != "" {
			t.Errorf("%s, %q: %s", tt.state, tt.document, diff)
		}
	}
}
