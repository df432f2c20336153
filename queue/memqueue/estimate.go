package memqueue

import (
	"time"

	"slashbatch/queue"
)

// average is what has been learned of a class of jobs. Classes are few, so they
// are never forgotten.
type average struct {
	mean time.Duration
	runs int
}

// estimate is how long a submitted job is thought to take.
func (q *Queue) estimate(s queue.Submission) time.Duration {
	if a, ok := q.learned[s.Class]; ok {
		return a.mean
	}
	return s.Estimate
}

// learn takes the time of a measured run that ends now into its class's average.
func (q *Queue) learn(c *claim) {
	if c.job.Class == "" {
		return
	}
	a := q.learned[c.job.Class]
	a.mean, a.runs = queue.Learn(a.mean, a.runs, q.now().Sub(c.started))
	q.learned[c.job.Class] = a
}
