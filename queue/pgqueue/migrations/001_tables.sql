-- The tables of the queue. What each operation does to them stands with its
-- function, in the migrations after this one.
--
-- Names (users, keys, sources, classes, ids) and documents may hold any bytes,
-- which text cannot; so they are bytea. "SET bytea_output = 'escape'" makes them
-- readable. Names that may be long are found by their sha256, since an entry of
-- an index holds at most 2,700 bytes. Timestamps are timestamptz, of the
-- database's clock, in whole milliseconds; no session's time zone matters.
-- Durations are milliseconds.
--
-- Locks. Whoever needs several takes them in this order, and so nobody waits in
-- a circle:
--
--   1. request key    pg_advisory_xact_lock(0x736c626b, hash of the key): Enqueue;
--      claim id       pg_advisory_xact_lock(0x736c6263, hash of the id): Claim
--   2. gate           pg_advisory_xact_lock(0x736c6271, 1): shared by all that
--                     change a list; alone by SetCapacities and SetPaused
--   3. claims         by id. A claim's row is what whoever changes a running job
--                     must hold
--   4. lists          by owner. A list's row is what whoever changes a pending
--                     job must hold. Claim waits for none while it holds another
--   5. source
--   6. job            who holds only this never waits for anything above
--   7. waiters, ended claims, estimates
--
-- A function that finds that a job has moved on while it waited raises
-- serialization_failure; the caller then calls it once more.

-- Orders, places in line, ids of lists, the order of joining: what grows and
-- never repeats.
CREATE SEQUENCE slashbatch.queue_tick;

-- One row for each job.
CREATE TABLE slashbatch.queue_job (
    id         bytea PRIMARY KEY,
    ord        bigint NOT NULL,
    key        bytea,                -- null: none
    owner      bytea NOT NULL,       -- in whose list it stands, or was claimed from
    lane       text NOT NULL,
    kind       bytea NOT NULL,
    source     bytea NOT NULL,
    class      bytea NOT NULL,
    estimate   bigint NOT NULL,
    retry      integer NOT NULL,
    state      text NOT NULL,
    list       bigint,               -- while pending
    number     bigint,               -- in its list; null while it waits for a retry
    total      bigint,               -- sum of the estimates of all jobs numbered before it
    not_before timestamptz,          -- while it waits for a retry
    claim      bytea,                -- while running; of an ended job the one that ended it
    submitted  timestamptz NOT NULL,
    started    timestamptz,
    ended      timestamptz,
    attempt    integer NOT NULL DEFAULT 0,
    crashes    integer NOT NULL DEFAULT 0,
    failures   integer NOT NULL DEFAULT 0,
    -- While the job runs, its claim has the present ones of these.
    sealed     boolean NOT NULL DEFAULT false,
    rows       bigint NOT NULL DEFAULT 0,
    bytes      bigint NOT NULL DEFAULT 0,
    expected   bigint NOT NULL DEFAULT 0,
    steps      bytea,
    outcome    bytea,
    error      bytea,
    definition bytea NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);

-- The last job of a request key.
CREATE INDEX queue_job_key ON slashbatch.queue_job (sha256(key), ord DESC) WHERE key IS NOT NULL;
-- The head of a list and what follows.
CREATE UNIQUE INDEX queue_job_pending ON slashbatch.queue_job (list, number) WHERE number IS NOT NULL;
CREATE INDEX queue_job_delayed ON slashbatch.queue_job (not_before) WHERE not_before IS NOT NULL;
-- What retention takes.
CREATE INDEX queue_job_ended ON slashbatch.queue_job (ended) WHERE ended IS NOT NULL;

-- Who waits for a job, or did until it ended.
CREATE TABLE slashbatch.queue_waiter (
    job         bytea NOT NULL,
    owner       bytea NOT NULL,
    ord         bigint NOT NULL,     -- the job's
    joined      bigint NOT NULL,
    running_cap integer NOT NULL     -- for the waiter's list, should the job come there
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE UNIQUE INDEX queue_waiter_job ON slashbatch.queue_waiter (job, sha256(owner));
CREATE INDEX queue_waiter_owner ON slashbatch.queue_waiter (sha256(owner), ord DESC);

-- The list of one user in one lane, present while it has work.
--
-- Its jobs are numbered without gaps from head to next, and each knows the sum
-- of the estimates of all numbered before it: so how many stand before a job, and
-- for how long, are differences to what is kept here. Jobs taken out of the
-- middle leave a hole, see queue_hole. Without pending jobs head is next.
CREATE TABLE slashbatch.queue_list (
    id         bigint PRIMARY KEY,   -- never used again
    line       integer NOT NULL,     -- small, and unique among those present
    lane       text NOT NULL,
    owner      bytea NOT NULL,
    cap        integer NOT NULL,
    pending    integer NOT NULL DEFAULT 0,
    running    integer NOT NULL DEFAULT 0,
    delayed    integer NOT NULL DEFAULT 0,
    place      bigint NOT NULL,
    head       bigint NOT NULL,
    head_total bigint NOT NULL,
    next       bigint NOT NULL,
    next_total bigint NOT NULL,
    estimates  bigint NOT NULL DEFAULT 0,  -- of the pending jobs
    gate       integer NOT NULL DEFAULT 0, -- of the head job's source; 0: has none
    holes      integer NOT NULL DEFAULT 0,
    -- The index below names this column and not its parts: so an update that
    -- leaves a list ready, and where it is, touches no index.
    ready      boolean NOT NULL GENERATED ALWAYS AS (pending > 0 AND running < cap) STORED
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX queue_list_owner ON slashbatch.queue_list (lane, sha256(owner));
-- Lists that may start their head job, by its source's gate: the best first.
CREATE INDEX queue_list_ready ON slashbatch.queue_list (lane, gate, running, place) WHERE ready;

-- Lines to be used again, and the next one that never was.
CREATE TABLE slashbatch.queue_line (
    line integer PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE SEQUENCE slashbatch.queue_next_line AS integer MINVALUE 0;

-- Jobs taken out of the middle of lists. At level 0 a block is one number, at
-- each further level 64 blocks of the one below: what is missing between two
-- numbers is the sum of a few blocks.
CREATE TABLE slashbatch.queue_hole (
    list      bigint NOT NULL,
    level     smallint NOT NULL,
    block     bigint NOT NULL,
    holes     integer NOT NULL,
    estimates bigint NOT NULL,
    PRIMARY KEY (list, level, block)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
-- Lists that are gone and whose holes are still to be removed.
CREATE TABLE slashbatch.queue_stray (
    list bigint PRIMARY KEY
);

-- Sources with a capacity.
CREATE TABLE slashbatch.queue_source (
    gate     integer PRIMARY KEY CHECK (gate > 0),
    source   bytea NOT NULL,
    capacity integer NOT NULL,
    running  integer NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE UNIQUE INDEX queue_source_name ON slashbatch.queue_source (sha256(source));
CREATE SEQUENCE slashbatch.queue_next_gate AS integer;

-- Claims that take a place: of running jobs, and of cancelled ones whose worker
-- has not stopped yet. It has what a beat changes, so that beats do not rewrite
-- jobs, and what frees the place when the job's record is gone.
CREATE TABLE slashbatch.queue_claim (
    claim     bytea PRIMARY KEY,
    job       bytea NOT NULL,
    list      bigint NOT NULL,
    lane      text NOT NULL,
    owner     bytea NOT NULL,
    source    bytea NOT NULL,
    class     bytea NOT NULL,
    worker    bytea NOT NULL,
    estimate  bigint NOT NULL,
    started   timestamptz NOT NULL,
    lease     timestamptz NOT NULL, -- its end
    cancelled boolean NOT NULL DEFAULT false,
    sealed    boolean NOT NULL DEFAULT false,
    rows      bigint NOT NULL DEFAULT 0,
    bytes     bigint NOT NULL DEFAULT 0,
    expected  bigint NOT NULL DEFAULT 0,
    steps     bytea                 -- null: as the job has them
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- Claims that have ended, for one lease.
CREATE TABLE slashbatch.queue_spent (
    claim bytea PRIMARY KEY,
    job   bytea NOT NULL,
    how   text NOT NULL,             -- finished, failed, released or lost
    state text NOT NULL,             -- what the job came to
    until timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE INDEX queue_spent_until ON slashbatch.queue_spent (until);

CREATE TABLE slashbatch.queue_worker (
    worker  bytea NOT NULL,
    slots   jsonb NOT NULL,          -- by lane
    expires timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX queue_worker_name ON slashbatch.queue_worker (sha256(worker));

-- How long the jobs of a class take.
CREATE TABLE slashbatch.queue_estimate (
    class bytea NOT NULL,
    mean  bigint NOT NULL,
    runs  integer NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX queue_estimate_class ON slashbatch.queue_estimate (sha256(class));

-- The queue as a whole: one row.
CREATE TABLE slashbatch.queue_meta (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    paused boolean NOT NULL DEFAULT false,
    swept  timestamptz               -- the last sweep
) WITH (fillfactor = 50);
INSERT INTO slashbatch.queue_meta DEFAULT VALUES;
