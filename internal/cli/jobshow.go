package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strconv"

	"slashbatch/internal/app"
	"slashbatch/queue"
)

// shownJob is what "job show" prints.
type shownJob struct {
	jobRecord
	Key string `json:"key,omitempty"`
	// Position is 0 for a running job, 1 for the next; ETA in ms.
	Position *int         `json:"position,omitempty"`
	ETA      *int64       `json:"eta,omitempty"`
	Steps    []stepRecord `json:"steps,omitempty"`
}

type stepRecord struct {
	Name    string `json:"name"`
	State   string `json:"state"`
	Started stamp  `json:"started,omitzero"`
	Ended   stamp  `json:"ended,omitzero"`
	Error   string `json:"error,omitempty"`
}

func shownOf(s app.Shown) shownJob {
	out := shownJob{jobRecord: recordOf(*s.Job, ""), Key: s.Key, Position: s.Position}
	if s.ETA != nil {
		ms := s.ETA.Milliseconds()
		out.ETA = &ms
	}
	for _, step := range s.Steps {
		out.Steps = append(out.Steps, stepRecord{step.Name, string(step.State), stamp(step.Started), stamp(step.Ended), step.Error})
	}
	return out
}

func runJobShow(ctx, _ context.Context, e env, args []string) error {
	var file string
	var asJSON bool
	ids, err := parseWords(e, "job show", "ID", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.BoolVar(&asJSON, "json", false, "print JSON")
	})
	if err != nil {
		return err
	}
	if len(ids) != 1 {
		return usageError{"slashbatch job show takes the id of one job"}
	}
	o, err := operator(ctx, e, file)
	if err != nil {
		return err
	}
	defer o.Close()
	shown, err := o.Show(ctx, ids[0])
	if err != nil {
		return aboutJob(ids[0], err)
	}
	if asJSON {
		return printJSON(e.stdout, shownOf(shown))
	}
	if err := table(e.stdout, shownLines(shown)); err != nil || len(shown.Steps) == 0 {
		return err
	}
	steps := [][]string{{"STEP", "STATE", "STARTED (UTC)", "ENDED", "ERROR"}}
	for _, s := range shown.Steps {
		steps = append(steps, []string{s.Name, string(s.State), moment(s.Started), moment(s.Ended), dash(s.Error)})
	}
	fmt.Fprintln(e.stdout)
	return table(e.stdout, steps)
}

// shownLines are what there is to say, each with its name.
func shownLines(s app.Shown) [][]string {
	j := s.Job
	var lines [][]string
	line := func(name, text string) {
		if text != "" && text != "-" {
			lines = append(lines, []string{name, text})
		}
	}
	line("id", j.ID)
	line("state", string(j.State))
	line("kind", j.Kind)
	line("class", j.Class)
	line("source", j.Source)
	line("user", j.User)
	line("key", j.Key)
	line("submitted", moment(j.Submitted))
	line("started", moment(j.Started))
	line("ended", moment(j.Ended))
	line("not before", moment(j.Standing.NotBefore))
	if s.Position != nil && j.State == queue.Pending {
		line("position", strconv.Itoa(*s.Position))
	}
	if s.ETA != nil {
		line("complete in about", s.ETA.String())
	}
	line("attempts", fmt.Sprintf("%d (%d workers lost, %d runs failed; %d more may fail)", j.Attempt, j.Crashes, j.Failures, max(j.Retry-j.Failures, 0)))
	if p := j.Progress; p.Rows > 0 || p.Bytes > 0 {
		line("so far", fmt.Sprintf("%d rows, %d bytes", p.Rows, p.Bytes))
	}
	line("error", j.Error)
	return lines
}

func runJobCancel(ctx, _ context.Context, e env, args []string) error {
	var file string
	ids, err := parseWords(e, "job cancel", "ID…", args, configFlag(&file))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return usageError{"slashbatch job cancel takes the ids of jobs"}
	}
	o, err := operator(ctx, e, file)
	if err != nil {
		return err
	}
	defer o.Close()
	var wrong []error
	for _, id := range ids {
		left, job, err := o.Cancel(ctx, id)
		switch {
		case err != nil:
			wrong = append(wrong, aboutJob(id, err))
		case left == queue.Removed:
			fmt.Fprintf(e.stdout, "%s is cancelled\n", id)
		case left == queue.Stopping:
			fmt.Fprintf(e.stdout, "%s is cancelled; its worker is stopping\n", id)
		case job.State == queue.Cancelled:
			fmt.Fprintf(e.stdout, "%s was cancelled before\n", id)
		case job.State == queue.Running:
			wrong = append(wrong, aboutJob(id, errors.New("too late, its result is being published")))
		default:
			wrong = append(wrong, aboutJob(id, errors.New("too late, it is "+string(job.State))))
		}
	}
	return errors.Join(wrong...)
}
