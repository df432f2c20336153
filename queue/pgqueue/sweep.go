package pgqueue

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"slashbatch/queue"
)

const (
	// sweepLock is the second key of the session's lock under which one process
	// sweeps at a time; the first is that of the gate.
	sweepLock = 2
	// sweepMax bounds the jobs and the claims that one Sweep gives back, each in a
	// transaction of its own.
	sweepMax = 100
	// portion is how much of each kind one transaction forgets, portions how many
	// of them there are at most.
	portion, portions = 500, 10
	// frozen is how long the session of a sweep may do nothing between two of its
	// statements. A process that stands still, or whose machine is gone, does not
	// give its lock back, and the server may take hours to notice.
	frozen = 5 * time.Second

	endFrozenSQL = `
		SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.classid = 1936482929 AND l.objid = $1 AND l.objsubid = 2 AND l.granted
		  AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
		  AND a.state = 'idle' AND a.state_change < clock_timestamp() - $2 * interval '1 millisecond'`
)

// Sweep implements queue.Queue. When another process sweeps just now, it does
// nothing, but for ending the session of one that has stopped in the middle.
func (q *Queue) Sweep(ctx context.Context) (queue.Swept, error) {
	var swept queue.Swept
	err := q.do(ctx, func(ctx context.Context) error {
		return q.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
			var alone bool
			err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock(1936482929, $1)`, sweepLock).Scan(&alone)
			if err != nil {
				return err
			}
			if !alone {
				_, err := conn.Exec(ctx, endFrozenSQL, sweepLock, millis(q.frozen))
				return err
			}
			err = q.sweep(ctx, conn, &swept)
			if _, e := conn.Exec(ctx, `SELECT pg_advisory_unlock(1936482929, $1)`, sweepLock); e != nil {
				// The lock ends with its session.
				_ = conn.Conn().Close(ctx)
			}
			return err
		})
	})
	return swept, err
}

// sweep does a sweep over one connection. It may be called again after an error.
func (q *Queue) sweep(ctx context.Context, conn *pgxpool.Conn, swept *queue.Swept) error {
	var due, dead [][]byte
	var extended bool
	err := conn.QueryRow(ctx, `SELECT f.o_extended, f.o_due, f.o_dead FROM slashbatch.queue_sweep($1, $2) f`,
		millis(q.settings.Lease), sweepMax).Scan(&extended, &due, &dead)
	if err != nil {
		return err
	}
	swept.Extended = swept.Extended || extended
	for _, id := range due {
		if err := q.resume(ctx, conn, id); err != nil {
			return err
		}
	}
	for _, claim := range dead {
		if err := q.recover(ctx, conn, claim, swept); err != nil {
			return err
		}
	}
	more := true
	for range portions {
		if !more {
			break
		}
		err := conn.QueryRow(ctx, `SELECT slashbatch.queue_forget($1, $2)`, millis(q.settings.Retention), portion).Scan(&more)
		if err != nil {
			return err
		}
	}
	return nil
}

// resume puts a job whose retry is due at the head of its list.
func (q *Queue) resume(ctx context.Context, conn *pgxpool.Conn, id []byte) error {
	var owner []byte
	if err := conn.QueryRow(ctx, `SELECT slashbatch.queue_resume($1)`, id).Scan(&owner); err != nil {
		return err
	}
	if owner != nil {
		q.out.say(changed(string(id), queue.Pending), wake(string(owner)))
	}
	return nil
}

// recover ends a claim whose lease has run out.
func (q *Queue) recover(ctx context.Context, conn *pgxpool.Conn, claim []byte, swept *queue.Swept) error {
	var state *string
	var job []byte
	var users [][]byte
	err := conn.QueryRow(ctx, `SELECT f.o_state, f.o_job, f.o_wakes FROM slashbatch.queue_recover($1, $2, $3) f`,
		claim, q.settings.Crashes, millis(q.settings.Lease)).Scan(&state, &job, &users)
	if err != nil || state == nil {
		return err
	}
	switch to := queue.State(*state); to {
	case queue.Pending:
		swept.Recovered++
		q.out.say(changed(string(job), to))
	case queue.Failed:
		swept.Failed++
		q.out.say(changed(string(job), to))
	}
	q.out.say(wakeAll(users)...)
	return nil
}
