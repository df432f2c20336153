-- Finish, Fail, Release, and what Sweep does with a claim whose lease has run out.
-- Each takes the row of the claim out of queue_claim first: whoever gets it ends
-- the claim.

-- Gives up a place at a source. Returns the users who may be claimed from because
-- of it, when nothing could be before. O(log lists).
CREATE FUNCTION slashbatch.queue_free(p_source bytea) RETURNS bytea[]
LANGUAGE plpgsql AS $$
DECLARE
    v_source slashbatch.queue_source;
BEGIN
    UPDATE slashbatch.queue_source s SET running = s.running - 1 WHERE sha256(s.source) = sha256(p_source)
    RETURNING * INTO v_source;
    IF FOUND AND v_source.running + 1 = v_source.capacity THEN
        RETURN slashbatch.queue_first(v_source.gate);
    END IF;
    RETURN '{}';
END $$;

-- The owners of the best ready list of each lane at a gate.
CREATE FUNCTION slashbatch.queue_first(p_gate integer) RETURNS bytea[]
LANGUAGE sql STABLE AS $$
    SELECT ARRAY(
        SELECT b.owner FROM (VALUES ('sql'), ('export')) n (lane)
        CROSS JOIN LATERAL (
            SELECT l.owner FROM slashbatch.queue_list l
            WHERE l.lane = n.lane AND l.gate = p_gate AND l.ready
            ORDER BY l.running, l.place LIMIT 1
        ) b)
$$;

-- Remembers for one lease how a claim ended.
CREATE FUNCTION slashbatch.queue_spend(p_claim slashbatch.queue_claim, p_how text, p_state text, p_lease bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO slashbatch.queue_spent (claim, job, how, state, until)
    VALUES (p_claim.claim, p_claim.job, p_how, p_state, slashbatch.queue_now() + slashbatch.queue_ms(p_lease));
END $$;

-- Ends the place of a claim that is over for good: its list goes to the end of the
-- line. Returns whom to wake. A worker that finishes a job claims the next one
-- itself; others are told when the list was held up by its cap, or the source by
-- its capacity, for then they may have looked in vain. O(log lists).
CREATE FUNCTION slashbatch.queue_conclude(p_claim slashbatch.queue_claim) RETURNS bytea[]
LANGUAGE plpgsql AS $$
DECLARE
    v_list slashbatch.queue_list;
    v_wakes bytea[] := '{}';
BEGIN
    UPDATE slashbatch.queue_list l SET running = l.running - 1, place = nextval('slashbatch.queue_tick')
    WHERE l.id = p_claim.list RETURNING * INTO v_list;
    PERFORM slashbatch.queue_close(v_list);
    IF v_list.ready AND v_list.running + 1 >= v_list.cap THEN
        v_wakes := ARRAY[v_list.owner];
    END IF;
    RETURN v_wakes || slashbatch.queue_free(p_claim.source);
END $$;

-- Puts the job of an ended claim back at the head of its list, which keeps its
-- place in line. Returns whom to wake. O(log lists).
CREATE FUNCTION slashbatch.queue_put_back(p_claim slashbatch.queue_claim) RETURNS bytea[]
LANGUAGE plpgsql AS $$
DECLARE
    v_list slashbatch.queue_list;
    v_wakes bytea[];
BEGIN
    UPDATE slashbatch.queue_list l
    SET running = l.running - 1, pending = l.pending + 1, estimates = l.estimates + p_claim.estimate,
        head = l.head - 1, head_total = l.head_total - p_claim.estimate, gate = slashbatch.queue_gate(p_claim.source)
    WHERE l.id = p_claim.list RETURNING * INTO v_list;
    IF v_list.holes > 0 THEN -- one that was left below the head would count again
        PERFORM slashbatch.queue_fill(v_list.id, v_list.head, v_list.head + 1, 1);
    END IF;
    v_wakes := v_list.owner || slashbatch.queue_free(p_claim.source);
    UPDATE slashbatch.queue_job j
    SET state = 'pending', list = v_list.id, number = v_list.head, total = v_list.head_total,
        claim = NULL, started = NULL, sealed = false, rows = p_claim.rows, bytes = p_claim.bytes,
        expected = p_claim.expected, steps = coalesce(p_claim.steps, j.steps)
    WHERE j.id = p_claim.job;
    RETURN v_wakes;
END $$;

-- Finish: ends a running job as done.
--
-- Arguments  job, claim, outcome (null: none), whether its time is worth learning, lease
-- Returns    o_answer 'ok', also when this claim has done so before, or 'lost' with
--            o_state; whom to wake
-- Locks      gate, claim, list, source, job; its class only if nobody else does
-- Cost       O(log lists)
CREATE FUNCTION slashbatch.queue_finish(p_job bytea, p_claim bytea, p_outcome bytea, p_measured boolean, p_lease bigint,
    OUT o_answer text, OUT o_state text, OUT o_wakes bytea[])
LANGUAGE plpgsql AS $$
DECLARE
    v_claim slashbatch.queue_claim;
    v_now timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    DELETE FROM slashbatch.queue_claim c WHERE c.claim = p_claim AND c.job = p_job AND NOT c.cancelled
    RETURNING * INTO v_claim;
    IF NOT FOUND THEN
        SELECT l.o_answer, l.o_state INTO o_answer, o_state FROM slashbatch.queue_lost(p_job, p_claim, 'finished') l;
        RETURN;
    END IF;
    v_now := slashbatch.queue_now();
    o_answer := 'ok';
    o_state := 'done';
    o_wakes := slashbatch.queue_conclude(v_claim);
    UPDATE slashbatch.queue_job j
    SET state = 'done', ended = v_now, outcome = p_outcome, sealed = v_claim.sealed, rows = v_claim.rows,
        bytes = v_claim.bytes, expected = v_claim.expected, steps = coalesce(v_claim.steps, j.steps)
    WHERE j.id = p_job;
    PERFORM slashbatch.queue_spend(v_claim, 'finished', 'done', p_lease);
    IF p_measured AND v_claim.class <> '' THEN
        PERFORM slashbatch.queue_learn(v_claim.class, round(1000 * extract(epoch FROM v_now - v_claim.started))::bigint);
    END IF;
END $$;

-- Takes a run into the average of its class, as queue.Learn does. When somebody
-- else learns of the same class just now the run is left out: no run is worth
-- waiting for.
CREATE FUNCTION slashbatch.queue_learn(p_class bytea, p_took bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_known slashbatch.queue_estimate;
BEGIN
    SELECT * INTO v_known FROM slashbatch.queue_estimate e WHERE sha256(e.class) = sha256(p_class) FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
        UPDATE slashbatch.queue_estimate e
        SET runs = least(e.runs, 1000) + 1, mean = greatest(round(e.mean + (p_took - e.mean)::numeric / least(e.runs + 1, 8)), 0)
        WHERE sha256(e.class) = sha256(p_class);
    ELSE
        INSERT INTO slashbatch.queue_estimate (class, mean, runs) VALUES (p_class, greatest(p_took, 0), 1)
        ON CONFLICT (sha256(class)) DO NOTHING;
    END IF;
END $$;

-- Fail: ends an attempt in error. The job is failed; or pending again, when a retry
-- is wanted and left, at the head of its list or waiting for its time.
--
-- Arguments  job, claim, reason, whether to retry, not sooner than after, outcome
--            (null: none), lease
-- Returns    o_answer 'ok' with the state it came to, the same again to the same
--            claim, or 'lost' with the state it is in; whom to wake
-- Locks      gate, claim, list, source, job
-- Cost       O(log lists)
CREATE FUNCTION slashbatch.queue_fail(p_job bytea, p_claim bytea, p_reason bytea, p_retry boolean, p_after bigint,
    p_outcome bytea, p_lease bigint, OUT o_answer text, OUT o_state text, OUT o_wakes bytea[])
LANGUAGE plpgsql AS $$
DECLARE
    v_claim slashbatch.queue_claim;
    v_list slashbatch.queue_list;
    v_again boolean;
    v_now timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    DELETE FROM slashbatch.queue_claim c WHERE c.claim = p_claim AND c.job = p_job AND NOT c.cancelled
    RETURNING * INTO v_claim;
    IF NOT FOUND THEN
        SELECT l.o_answer, l.o_state INTO o_answer, o_state FROM slashbatch.queue_lost(p_job, p_claim, 'failed') l;
        RETURN;
    END IF;
    v_now := slashbatch.queue_now();
    SELECT p_retry AND j.failures < j.retry INTO v_again FROM slashbatch.queue_job j WHERE j.id = p_job;
    o_answer := 'ok';
    o_state := CASE WHEN v_again THEN 'pending' ELSE 'failed' END;
    IF v_again AND p_after > 0 THEN
        UPDATE slashbatch.queue_list l SET running = l.running - 1, delayed = l.delayed + 1
        WHERE l.id = v_claim.list RETURNING * INTO v_list;
        o_wakes := '{}';
        IF v_list.ready AND v_list.running + 1 >= v_list.cap THEN
            o_wakes := ARRAY[v_list.owner];
        END IF;
        o_wakes := o_wakes || slashbatch.queue_free(v_claim.source);
        UPDATE slashbatch.queue_job j
        SET state = 'pending', list = v_list.id, not_before = v_now + slashbatch.queue_ms(p_after), claim = NULL,
            started = NULL, sealed = false, rows = v_claim.rows, bytes = v_claim.bytes, expected = v_claim.expected,
            steps = coalesce(v_claim.steps, j.steps)
        WHERE j.id = p_job;
    ELSIF v_again THEN
        o_wakes := slashbatch.queue_put_back(v_claim);
    ELSE
        o_wakes := slashbatch.queue_conclude(v_claim);
        UPDATE slashbatch.queue_job j
        SET state = 'failed', ended = v_now, sealed = v_claim.sealed, rows = v_claim.rows, bytes = v_claim.bytes,
            expected = v_claim.expected, steps = coalesce(v_claim.steps, j.steps)
        WHERE j.id = p_job;
    END IF;
    UPDATE slashbatch.queue_job j SET failures = j.failures + 1, error = p_reason, outcome = p_outcome WHERE j.id = p_job;
    PERFORM slashbatch.queue_spend(v_claim, 'failed', o_state, p_lease);
END $$;

-- Release: gives a claim up. A running job goes back to the head of its list; a
-- cancelled one stops taking its place. Workers are woken either way, for the one
-- that releases may not claim again.
--
-- Arguments  job, claim, lease
-- Returns    o_answer 'ok', also when this claim has done so before, with what the
--            job came to; or 'lost' with its state; whom to wake
-- Locks      gate, claim, list, source, job
-- Cost       O(log lists)
CREATE FUNCTION slashbatch.queue_release(p_job bytea, p_claim bytea, p_lease bigint,
    OUT o_answer text, OUT o_state text, OUT o_wakes bytea[])
LANGUAGE plpgsql AS $$
DECLARE
    v_claim slashbatch.queue_claim;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    DELETE FROM slashbatch.queue_claim c WHERE c.claim = p_claim AND c.job = p_job RETURNING * INTO v_claim;
    IF NOT FOUND THEN
        SELECT l.o_answer, l.o_state INTO o_answer, o_state FROM slashbatch.queue_lost(p_job, p_claim, 'released') l;
        RETURN;
    END IF;
    o_answer := 'ok';
    IF v_claim.cancelled THEN
        o_state := 'cancelled';
        o_wakes := v_claim.owner || slashbatch.queue_abandon(v_claim);
    ELSE
        o_state := 'pending';
        o_wakes := slashbatch.queue_put_back(v_claim);
    END IF;
    PERFORM slashbatch.queue_spend(v_claim, 'released', o_state, p_lease);
END $$;

-- Ends the place of a cancelled job, whose record may be gone. Returns whom to wake.
CREATE FUNCTION slashbatch.queue_abandon(p_claim slashbatch.queue_claim) RETURNS bytea[]
LANGUAGE plpgsql AS $$
DECLARE
    v_wakes bytea[] := slashbatch.queue_conclude(p_claim);
BEGIN
    UPDATE slashbatch.queue_job j
    SET sealed = p_claim.sealed, rows = p_claim.rows, bytes = p_claim.bytes, expected = p_claim.expected,
        steps = coalesce(p_claim.steps, j.steps)
    WHERE j.id = p_claim.job;
    RETURN v_wakes;
END $$;

-- Recovers one claim whose lease has run out.
--
-- Arguments  claim, how many leases of one job may run out, lease
-- Returns    o_state 'pending' or 'failed', 'cancelled' for one that only gave up
--            its place, null when it has been beaten or ended since; the job;
--            whom to wake
-- Locks      gate, claim, list, source, job
-- Cost       O(log lists)
CREATE FUNCTION slashbatch.queue_recover(p_claim bytea, p_crashes integer, p_lease bigint,
    OUT o_state text, OUT o_job bytea, OUT o_wakes bytea[])
LANGUAGE plpgsql AS $$
DECLARE
    v_claim slashbatch.queue_claim;
    v_crashes integer;
    v_now timestamptz := slashbatch.queue_now();
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    DELETE FROM slashbatch.queue_claim c WHERE c.claim = p_claim AND c.lease <= v_now RETURNING * INTO v_claim;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    o_job := v_claim.job;
    IF v_claim.cancelled THEN
        o_state := 'cancelled';
        o_wakes := v_claim.owner || slashbatch.queue_abandon(v_claim);
    ELSE
        SELECT j.crashes + 1 INTO v_crashes FROM slashbatch.queue_job j WHERE j.id = v_claim.job;
        IF v_crashes < p_crashes THEN
            o_state := 'pending';
            o_wakes := slashbatch.queue_put_back(v_claim);
            UPDATE slashbatch.queue_job j SET crashes = v_crashes WHERE j.id = v_claim.job;
        ELSE
            o_state := 'failed';
            o_wakes := v_claim.owner || slashbatch.queue_conclude(v_claim);
            UPDATE slashbatch.queue_job j
            SET state = 'failed', ended = v_now, crashes = v_crashes,
                claim = NULL, -- its holder did not fail it
                error = convert_to('the worker was lost ' || v_crashes || ' times', 'UTF8'),
                sealed = v_claim.sealed, rows = v_claim.rows, bytes = v_claim.bytes, expected = v_claim.expected,
                steps = coalesce(v_claim.steps, j.steps)
            WHERE j.id = v_claim.job;
        END IF;
    END IF;
    PERFORM slashbatch.queue_spend(v_claim, 'lost', o_state, p_lease);
END $$;
