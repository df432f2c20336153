package jobs

import (
	"errors"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/go-cmp/cmp"
)

// The whole table of what a step may come to; everything else is refused.
func TestStepStates(t *testing.T) {
	all := []StepState{StepPending, StepRunning, StepDone, StepFailed, StepCancelled, StepSkipped, StepUnknown}
	legal := map[StepState]map[StepState]bool{
		StepPending: {StepRunning: true, StepSkipped: true, StepCancelled: true},
		StepRunning: {StepDone: true, StepFailed: true, StepCancelled: true, StepUnknown: true, StepPending: true},
	}
	for _, from := range all {
		if got, want := from.Final(), legal[from] == nil; got != want {
			t.Errorf("%s: final %v, want %v", from, got, want)
		}
		for _, next := range all {
			got, err := from.to(next)
			want := from
			if legal[from][next] {
				want = next
			}
			if got != want || (err == nil) != legal[from][next] {
				t.Errorf("from %s to %s: %s, %v", from, next, got, err)
			}
		}
	}
	_, err := StepDone.to(StepCancelled)
	if err == nil || err.Error() != "Cannot set status from done to cancelled" {
		t.Error(err)
	}
}

func states(s ...StepState) (out steps) {
	for _, state := range s {
		out.Main = append(out.Main, step{State: state})
	}
	return out
}

// A step is run again only when the database said that it had no effect, or
// its sender that this does no harm.
func TestJudgeStep(t *testing.T) {
	cancelled := &rows.Error{Kind: rows.Cancelled, Reason: "canceling statement due to user request", Code: "57014"}
	wrong := &rows.Error{Kind: rows.BadQuery, Reason: "division by zero", Code: "22012"}
	gone := &rows.Error{Kind: rows.Unavailable, Reason: "the database cannot be reached"}
	const timeout = "canceling statement due to statement timeout"
	for _, tt := range []struct {
		name       string
		ended      rows.Ended
		cause      error
		repeatable bool
		broken     int
		want       StepState
		reason     string
	}{
		{"it did what it was to do", rows.Ended{}, nil, false, 0, StepDone, ""},
		{"before a drain could cancel it", rows.Ended{}, errDrain, false, 0, StepDone, ""},
		{"before its time limit could", rows.Ended{}, errStepTimeout, false, 0, StepDone, ""},
		{"it failed", rows.Ended{Err: wrong, Undone: true}, nil, false, 0, StepFailed, "division by zero"},
		{"it failed by itself while draining", rows.Ended{Err: wrong, Undone: true}, errDrain, true, 0, StepFailed, "division by zero"},
		{"somebody else cancelled it", rows.Ended{Err: cancelled, Undone: true}, nil, true, 0, StepFailed, cancelled.Reason},
		{"drained, confirmed", rows.Ended{Err: cancelled, Undone: true}, errDrain, false, 0, StepPending, ""},
		{"drained after a COMMIT of its own", rows.Ended{Err: cancelled}, errDrain, false, 0, StepUnknown, stoppedReason},
		{"the same, repeatable", rows.Ended{Err: cancelled}, errDrain, true, 0, StepPending, ""},
		{"drained by force", rows.Ended{Err: gone, Broken: true}, errDrain, false, 0, StepUnknown, stoppedReason},
		{"the same, repeatable", rows.Ended{Err: gone, Broken: true}, errDrain, true, 0, StepPending, ""},
		{"out of time", rows.Ended{Err: cancelled, Undone: true}, errStepTimeout, true, 0, StepFailed, timeout},
		{"out of time, by force", rows.Ended{Err: gone, Broken: true}, errStepTimeout, false, 0, StepFailed, timeout},
		{"it failed just before its time was up", rows.Ended{Err: wrong, Undone: true}, errStepTimeout, false, 0, StepFailed, "division by zero"},
		{"the database went away", rows.Ended{Err: gone, Broken: true}, nil, false, 0, StepUnknown, "the database cannot be reached; the effect of this step is unknown"},
		{"the same, repeatable", rows.Ended{Err: gone, Broken: true}, nil, true, maxBroken - 1, StepPending, ""},
		{"the same, again and again", rows.Ended{Err: gone, Broken: true}, nil, true, maxBroken, StepUnknown, "the database cannot be reached; the effect of this step is unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			state, reason := judgeStep(tt.ended, tt.cause, tt.repeatable, tt.broken)
			if state != tt.want || reason != tt.reason {
				t.Errorf("%s %q, want %s %q", state, reason, tt.want, tt.reason)
			}
		})
	}
}

// What people see of a job whose document nobody could write to any more.
func TestStepsOf(t *testing.T) {
	three, err := SQLPlan{Steps: []SQLStep{{SQL: "a"}, {SQL: "b"}, {SQL: "c"}}}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	export, err := Plan{Kind: KindExport, OnSuccess: "a", OnError: "b"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	middle := states(StepDone, StepRunning, StepPending).encode()
	for _, tt := range []struct {
		name       string
		definition []byte
		job        queue.Job
		want       []StepState
	}{
		{"pending", three, queue.Job{State: queue.Pending}, []StepState{StepPending, StepPending, StepPending}},
		{"running", three, queue.Job{State: queue.Running, Steps: middle}, []StepState{StepDone, StepRunning, StepPending}},
		{"cancelled before it began", three, queue.Job{State: queue.Cancelled}, []StepState{StepSkipped, StepSkipped, StepSkipped}},
		{"cancelled while it ran", three, queue.Job{State: queue.Cancelled, Steps: middle}, []StepState{StepDone, StepCancelled, StepSkipped}},
		{"failed without a worker", three, queue.Job{State: queue.Failed, Steps: middle}, []StepState{StepDone, StepUnknown, StepSkipped}},
		{"an export that waits", export, queue.Job{State: queue.Pending}, []StepState{StepPending, StepPending}},
		{"an export that is done", export, queue.Job{State: queue.Done, Steps: steps{OnSuccess: &step{State: StepDone}}.encode()}, []StepState{StepDone, StepSkipped}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := StepsOf(tt.job, tt.definition)
			if err != nil {
				t.Fatal(err)
			}
			var got []StepState
			for _, s := range list {
				got = append(got, s.State)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, document := range []string{`[]`, `{"steps": [{"status": "done"}]}`} {
		if _, err := StepsOf(queue.Job{Steps: []byte(document)}, three); !errors.Is(err, errUnknownPlan) {
			t.Errorf("%s: %v", document, err)
		}
	}
}

func TestRetryDelay(t *testing.T) {
	for _, tt := range []struct {
		failures int
		jitter   float64
		want     time.Duration
	}{
		{1, 0, time.Second},
		{2, 0, 2 * time.Second},
		{3, 0, 4 * time.Second},
		{9, 0, 256 * time.Second},
		{10, 0, 5 * time.Minute},
		{1000, 0, 5 * time.Minute},
		{1, 0.5, 900 * time.Millisecond},
		{10, 0.5, 270 * time.Second},
		{3, 0.99999, 3200 * time.Millisecond},
	} {
		if got := retryDelay(tt.failures, tt.jitter); got != tt.want {
			t.Errorf("failure %d, jitter %v: %v, want %v", tt.failures, tt.jitter, got, tt.want)
		}
	}
}

func TestPlace(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lane := queue.LaneSnapshot{Slots: 1, Lines: []queue.Line{{ID: 1, Pending: 2, Estimates: 20 * time.Second}}}
	snapshot := func(paused bool) *queue.Snapshot {
		return &queue.Snapshot{Now: start.Add(4 * time.Second), Paused: paused, Lanes: map[queue.Lane]queue.LaneSnapshot{queue.LaneExport: lane}}
	}
	pending := queue.Job{State: queue.Pending, Lane: queue.LaneExport, Estimate: 10 * time.Second, Standing: queue.Standing{Line: 1, Index: 1, Ahead: 10 * time.Second}}
	waiting := pending
	waiting.Standing = queue.Standing{Line: 1, NotBefore: start.Add(time.Minute)}
	running := queue.Job{State: queue.Running, Lane: queue.LaneExport, Estimate: 10 * time.Second, Started: start}
	for _, tt := range []struct {
		name     string
		job      queue.Job
		paused   bool
		position int
		eta      time.Duration // 0: none
	}{
		{"pending", pending, false, 2, 20 * time.Second},
		{"waiting for a retry", waiting, false, 1, 66 * time.Second},
		{"running", running, false, 0, 6 * time.Second},
		{"paused", pending, true, 2, 0},
		{"running, paused", running, true, 0, 0},
		{"overrun", queue.Job{State: queue.Running, Lane: queue.LaneExport, Started: start}, false, 0, 0},
		{"claimed after the snapshot", queue.Job{State: queue.Running, Lane: queue.LaneExport, Estimate: time.Second, Started: start.Add(time.Minute)}, false, 0, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			position, eta := Place(tt.job, snapshot(tt.paused))
			var got time.Duration
			if eta != nil {
				got = *eta
			}
			if *position != tt.position || got != tt.eta {
				t.Errorf("position %d, ETA %v; want %d, %v", *position, got, tt.position, tt.eta)
			}
		})
	}
}

func TestReasonClipped(t *testing.T) {
	s := step{State: StepPending}
	s.move(StepRunning, "", time.Time{})
	s.move(StepFailed, strings.Repeat("ä", 1<<20), time.Time{})
	if len(s.Error) > longestReason+len("…") || !strings.HasSuffix(s.Error, "ä…") {
		t.Errorf("%d bytes", len(s.Error))
	}
}

// The reasons of all steps of a job are bounded, too; the first ones are told in full.
func TestReasonsClipped(t *testing.T) {
	var s steps
	for range 400 {
		fallback := &step{State: StepFailed, Error: strings.Repeat("ü", longestReason/2)}
		s.Main = append(s.Main, step{State: StepFailed, Error: strings.Repeat("x", longestReason), Fallback: fallback})
	}
	document := s.encode()
	if again := s.encode(); string(again) != string(document) {
		t.Error("a document that was clipped is clipped once more")
	}
	if n := len(document); n > longestReasons+800*(shortReason+200) {
		t.Errorf("%d bytes", n)
	}
	read, err := decodeSteps(document, 400)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(read.Main[0].Error); n != longestReason {
		t.Errorf("the first has %d bytes", n)
	}
	if n := len(read.Main[399].Error); n != shortReason+len("…") {
		t.Errorf("the last has %d bytes", n)
	}
}
