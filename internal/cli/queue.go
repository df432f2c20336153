package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"slashbatch/internal/app"
	"slashbatch/internal/config"
	"slashbatch/queue"
)

// operator connects to the queue of the configuration in a file. What is odd about
// the server is for the processes that use it to tell, not for every command.
func operator(ctx context.Context, e env, file string) (*app.Operator, error) {
	c, problems := config.Load(file, e.vars)
	if len(problems) > 0 {
		return nil, problems
	}
	c.Log.Level = "error"
	return app.OpenOperator(ctx, c, logger(c.Log, e.stderr))
}

// statsDocument is queue.Stats as JSON.
type statsDocument struct {
	Now     stamp                    `json:"now"`
	Paused  bool                     `json:"paused"`
	Lanes   map[queue.Lane]laneStats `json:"lanes"`
	Sources map[string]sourceStats   `json:"sources"`
	Workers map[string]workerSlots   `json:"workers"`
}

type laneStats struct {
	Users    int   `json:"users"`
	Pending  int   `json:"pending"`
	Retrying int   `json:"retrying"`
	Running  int   `json:"running"`
	Slots    int   `json:"slots"`
	Oldest   stamp `json:"oldest,omitzero"`
}

type sourceStats struct {
	Running int `json:"running"`
	// Capacity is left out when the source is not limited.
	Capacity *int `json:"capacity,omitempty"`
}

type workerSlots map[queue.Lane]int

func documentOf(s *queue.Stats) statsDocument {
	d := statsDocument{
		Now: stamp(s.Now), Paused: s.Paused,
		Lanes: map[queue.Lane]laneStats{}, Sources: map[string]sourceStats{}, Workers: map[string]workerSlots{},
	}
	slots := map[queue.Lane]int{}
	for id, worker := range s.Workers {
		d.Workers[id] = worker
		for lane, n := range worker {
			slots[lane] += n
		}
	}
	for _, lane := range queue.Lanes {
		l := s.Lanes[lane]
		d.Lanes[lane] = laneStats{l.Lists, l.Pending, l.Delayed, l.Running, slots[lane], stamp(l.Oldest)}
	}
	for name, source := range s.Sources {
		counted := sourceStats{Running: source.Running}
		if source.Capacity >= 0 {
			counted.Capacity = &source.Capacity
		}
		d.Sources[name] = counted
	}
	return d
}

func runQueueStats(ctx, _ context.Context, e env, args []string) error {
	var file string
	var asJSON bool
	if err := parse(e, "queue stats", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}); err != nil {
		return err
	}
	o, err := operator(ctx, e, file)
	if err != nil {
		return err
	}
	defer o.Close()
	stats, err := o.Stats(ctx)
	if err != nil {
		return err
	}
	d := documentOf(stats)
	if asJSON {
		return printJSON(e.stdout, d)
	}
	if d.Paused {
		fmt.Fprint(e.stdout, "The queue is paused: nothing is claimed until slashbatch queue resume.\n\n")
	}
	lanes := [][]string{{"LANE", "USERS", "PENDING", "RETRYING", "RUNNING", "SLOTS", "OLDEST"}}
	for _, lane := range queue.Lanes {
		l := d.Lanes[lane]
		lanes = append(lanes, []string{
			string(lane), strconv.Itoa(l.Users), strconv.Itoa(l.Pending), strconv.Itoa(l.Retrying),
			strconv.Itoa(l.Running), strconv.Itoa(l.Slots), moment(stats.Lanes[lane].Oldest),
		})
	}
	sources := [][]string{{"SOURCE", "RUNNING", "CAPACITY"}}
	for _, name := range slices.Sorted(maps.Keys(d.Sources)) {
		capacity := "unlimited"
		if c := d.Sources[name].Capacity; c != nil {
			capacity = strconv.Itoa(*c)
		}
		sources = append(sources, []string{dash(name), strconv.Itoa(d.Sources[name].Running), capacity})
	}
	workers := [][]string{{"WORKER", "EXPORT", "SQL"}}
	for _, id := range slices.Sorted(maps.Keys(d.Workers)) {
		workers = append(workers, []string{id, strconv.Itoa(d.Workers[id][queue.LaneExport]), strconv.Itoa(d.Workers[id][queue.LaneSQL])})
	}
	for i, rows := range [][][]string{lanes, sources, workers} {
		if len(rows) == 1 {
			continue
		}
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		if err := table(e.stdout, rows); err != nil {
			return err
		}
	}
	return nil
}

// pauseCommand is "queue pause" or "queue resume".
func pauseCommand(word string, paused bool) func(ctx, hard context.Context, e env, args []string) error {
	return func(ctx, _ context.Context, e env, args []string) error {
		var file string
		if err := parse(e, "queue "+word, args, configFlag(&file)); err != nil {
			return err
		}
		o, err := operator(ctx, e, file)
		if err != nil {
			return err
		}
		defer o.Close()
		if err := o.SetPaused(ctx, paused); err != nil {
			return err
		}
		said := "Jobs are claimed again."
		if paused {
			said = "Nothing is claimed any more, until slashbatch queue resume; what runs goes on."
		}
		_, err = fmt.Fprintln(e.stdout, said)
		return err
	}
}

func runRequeue(ctx, _ context.Context, e env, args []string) error {
	var file, user string
	ids, err := parseWords(e, "queue requeue", "JOB… | -user NAME", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.StringVar(&user, "user", "", "all failed jobs of the user with this `name`, instead of single jobs")
	})
	if err != nil {
		return err
	}
	if (len(ids) == 0) == (user == "") {
		return usageError{"slashbatch queue requeue takes ids of jobs, or -user NAME"}
	}
	o, err := operator(ctx, e, file)
	if err != nil {
		return err
	}
	defer o.Close()
	var wrong []error
	n := 0
	tell := func(id, next string, err error) {
		n++
		_, left := errors.AsType[*app.NotRequeuedError](err)
		switch {
		case left:
			fmt.Fprintf(e.stdout, "skipped: %v\n", err)
		case err != nil:
			wrong = append(wrong, aboutJob(id, err))
		default:
			fmt.Fprintf(e.stdout, "%s is queued again as %s\n", id, next)
		}
	}
	if user != "" {
		err := o.RequeueFailed(ctx, user, tell)
		if n == 0 && err == nil {
			fmt.Fprintf(e.stdout, "%s has no failed jobs\n", clean(user))
		}
		return errors.Join(append(wrong, err)...)
	}
	for _, id := range ids {
		next, err := o.Requeue(ctx, id)
		tell(id, next, err)
	}
	return errors.Join(wrong...)
}

// aboutJob says which job an error is about.
func aboutJob(id string, err error) error {
	if errors.Is(err, queue.ErrNotFound) {
		return fmt.Errorf("there is no job %s", clean(id))
	}
	return fmt.Errorf("job %s: %w", clean(id), err)
}
