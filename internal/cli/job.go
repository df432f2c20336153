package cli

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strconv"

	"slashbatch/queue"

	"github.com/gocarina/gocsv"
)

// jobRecord is a job in JSON and CSV. It has nothing of what the job is to do:
// that may hold anything.
type jobRecord struct {
	ID        string      `json:"id" csv:"id"`
	State     queue.State `json:"state" csv:"state"`
	Lane      queue.Lane  `json:"lane" csv:"lane"`
	Kind      string      `json:"kind" csv:"kind"`
	Class     string      `json:"class,omitempty" csv:"class"`
	Source    string      `json:"source,omitempty" csv:"source"`
	User      string      `json:"user" csv:"user"`
	Worker    string      `json:"worker,omitempty" csv:"worker"`
	Submitted stamp       `json:"submitted" csv:"submitted"`
	Started   stamp       `json:"started,omitzero" csv:"started"`
	Ended     stamp       `json:"ended,omitzero" csv:"ended"`
	NotBefore stamp       `json:"notBefore,omitzero" csv:"not_before"`
	Attempt   int         `json:"attempt" csv:"attempt"`
	Crashes   int         `json:"crashes" csv:"crashes"`
	Failures  int         `json:"failures" csv:"failures"`
	Rows      int64       `json:"rows" csv:"rows"`
	Bytes     int64       `json:"bytes" csv:"bytes"`
	Error     string      `json:"error,omitempty" csv:"error"`
}

func recordOf(j queue.Job, worker string) jobRecord {
	return jobRecord{
		ID: j.ID, State: j.State, Lane: j.Lane, Kind: j.Kind, Class: j.Class, Source: j.Source, User: j.User, Worker: worker,
		Submitted: stamp(j.Submitted), Started: stamp(j.Started), Ended: stamp(j.Ended), NotBefore: stamp(j.Standing.NotBefore),
		Attempt: j.Attempt, Crashes: j.Crashes, Failures: j.Failures,
		Rows: j.Progress.Rows, Bytes: j.Progress.Bytes, Error: j.Error,
	}
}

var jobStates = []queue.State{queue.Pending, queue.Running, queue.Done, queue.Failed, queue.Cancelled}

func runJobList(ctx, _ context.Context, e env, args []string) error {
	var file, user, state string
	var asJSON, asCSV bool
	var n int
	if err := parse(e, "job list", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.StringVar(&user, "user", "", "jobs that the user with this `name` asked for, newest first; without it, what runs now")
		f.StringVar(&state, "state", "", "only jobs in this `state`; with -user")
		f.IntVar(&n, "n", 50, "at most so `many`; 0: all")
		f.BoolVar(&asJSON, "json", false, "print JSON")
		f.BoolVar(&asCSV, "csv", false, "print CSV")
	}); err != nil {
		return err
	}
	switch {
	case asJSON && asCSV:
		return usageError{"slashbatch job list prints JSON or CSV, not both"}
	case state != "" && !slices.Contains(jobStates, queue.State(state)):
		return usageError{fmt.Sprintf("there is no state %q; known are pending, running, done, failed and cancelled", state)}
	case state != "" && user == "":
		return usageError{"-state needs -user: without a user, what runs now is listed"}
	case n < 0:
		return usageError{"-n is a number of jobs, or 0 for all"}
	}
	o, err := operator(ctx, e, file)
	if err != nil {
		return err
	}
	defer o.Close()
	records := []jobRecord{} // in JSON, no job is an empty list
	if user == "" {
		running, err := o.Running(ctx)
		if err != nil {
			return err
		}
		if n > 0 && len(running) > n {
			running = running[:n]
		}
		for _, r := range running {
			records = append(records, recordOf(r.Job, r.Worker))
		}
	} else {
		list, err := o.List(ctx, user, queue.State(state), n)
		if err != nil {
			return err
		}
		for _, j := range list {
			records = append(records, recordOf(j, ""))
		}
	}
	switch {
	case asJSON:
		return printJSON(e.stdout, records)
	case asCSV:
		return gocsv.Marshal(records, e.stdout)
	case user == "":
		return table(e.stdout, runningTable(records))
	}
	return table(e.stdout, jobTable(records))
}

func runningTable(records []jobRecord) [][]string {
	rows := [][]string{{"ID", "STATE", "KIND", "CLASS", "USER", "WORKER", "STARTED (UTC)", "ATTEMPT", "ROWS"}}
	for _, r := range records {
		rows = append(rows, []string{
			r.ID, string(r.State), r.Kind, dash(r.Class), r.User, dash(r.Worker), r.Started.String(),
			strconv.Itoa(r.Attempt), strconv.FormatInt(r.Rows, 10),
		})
	}
	return rows
}

func jobTable(records []jobRecord) [][]string {
	rows := [][]string{{"ID", "STATE", "KIND", "CLASS", "SUBMITTED (UTC)", "STARTED", "ENDED", "ATTEMPT", "ERROR"}}
	for _, r := range records {
		rows = append(rows, []string{
			r.ID, string(r.State), r.Kind, dash(r.Class), r.Submitted.String(), r.Started.String(), r.Ended.String(),
			strconv.Itoa(r.Attempt), dash(r.Error),
		})
	}
	return rows
}
