package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"slashbatch/queue"
	"slashbatch/server"

	"github.com/google/uuid"
)

// NotRequeuedError says why a job is left alone.
type NotRequeuedError struct{ Job, Reason string }

func (e *NotRequeuedError) Error() string { return e.Job + " " + e.Reason }

// Requeue queues what a failed or cancelled job was to do as a new job of the same
// user, and returns its id. A job that stands otherwise, or has a successor
// already, is left alone: *NotRequeuedError. Repeated, also by others at the same
// time, it makes one job.
func (o *Operator) Requeue(ctx context.Context, id string) (string, error) {
	job, err := o.queue.Get(ctx, id)
	if err != nil {
		return "", err
	}
	if job.State != queue.Failed && job.State != queue.Cancelled {
		return "", &NotRequeuedError{id, "is " + string(job.State) + ", neither failed nor cancelled"}
	}
	next := successor(id)
	known, err := o.successorOf(ctx, job, next)
	if err != nil {
		return "", err
	}
	if known != "" {
		return "", &NotRequeuedError{id, "has a successor already: " + known}
	}
	definition, err := o.queue.Definition(ctx, id)
	if err != nil {
		return "", err
	}
	made, err := o.queue.Enqueue(ctx, queue.Submission{
		ID: next, Key: job.Key, After: id, User: job.User, Lane: job.Lane, Kind: job.Kind, Source: job.Source,
		Class: job.Class, Estimate: job.Estimate, RunningCap: o.runningCap(job.User, job.Lane), Retry: job.Retry, Definition: definition,
	})
	if err != nil {
		return "", err
	}
	if !made.Created {
		return "", &NotRequeuedError{id, "has a successor already: " + made.Job.ID}
	}
	return next, nil
}

// successorOf returns the job that was made of a job, or that its request has led
// to since; "" when there is none.
func (o *Operator) successorOf(ctx context.Context, job queue.Job, next string) (string, error) {
	_, err := o.queue.Get(ctx, next)
	if err == nil {
		return next, nil
	}
	if !errors.Is(err, queue.ErrNotFound) || job.Key == "" {
		return "", ignore(err, queue.ErrNotFound)
	}
	last, err := o.queue.ByKey(ctx, job.Key)
	if err != nil || last.ID == job.ID {
		return "", ignore(err, queue.ErrNotFound)
	}
	return last.ID, nil
}

// ignore is err unless it is that one.
func ignore(err, that error) error {
	if errors.Is(err, that) {
		return nil
	}
	return err
}

// successor is the id of the job that is made of a job: as hard to guess as that
// one's own, and always the same, which makes requeueing repeatable.
func successor(id string) string {
	made := uuid.NewSHA1(uuid.NameSpaceOID, []byte("requeued "+id))
	made[6] = made[6]&0x0f | 0x40 // marked as random, as ids of jobs are
	return made.String()
}

// RequeueFailed is Requeue for all failed jobs in a user's lists, oldest first. It
// tells what became of each, and stops at an error that is not about one job.
func (o *Operator) RequeueFailed(ctx context.Context, user string, tell func(id, next string, err error)) error {
	list, err := o.List(ctx, user, queue.Failed, 0)
	if err != nil {
		return err
	}
	for _, job := range slices.Backward(list) {
		if job.User != user {
			continue // joined, and in somebody else's list
		}
		next, err := o.Requeue(ctx, job.ID)
		if errors.Is(err, queue.ErrUnavailable) {
			return fmt.Errorf("%s: %w", job.ID, err)
		}
		tell(job.ID, next, err)
	}
	return nil
}

// runningCap is how many jobs of a user may run at once in a lane.
func (o *Operator) runningCap(user string, lane queue.Lane) int {
	c := o.config
	if server.Anonymous(user) {
		return c.Auth.Anonymous.Running
	}
	limits := c.Batch.Limits
	for _, u := range c.Auth.Users {
		if u.Name == user {
			limits = u.Limits
		}
	}
	if lane == queue.LaneSQL {
		return limits.Running.SQL
	}
	return limits.Running.Export
}
