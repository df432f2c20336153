-- Cancel and Leave.

-- Ends a job for everybody unless it is too late; the claim of a running one stays,
-- and with it what it takes.
--
-- Arguments  the job as it was just seen, without a lock
-- Returns    o_answer 'removed', 'stopping' or 'late'; whom to wake
-- Locks      list and job of a pending one, claim and job of a running one
-- Cost       as queue_take_out
CREATE FUNCTION slashbatch.queue_stop(p_job slashbatch.queue_job, OUT o_answer text, OUT o_wakes bytea[])
LANGUAGE plpgsql AS $$
DECLARE
    v_now slashbatch.queue_job;
    v_sealed boolean;
BEGIN
    o_wakes := '{}';
    IF p_job.state = 'pending' THEN
        PERFORM FROM slashbatch.queue_list l WHERE l.id = p_job.list FOR UPDATE;
        SELECT * INTO v_now FROM slashbatch.queue_job j WHERE j.id = p_job.id FOR UPDATE;
        IF v_now.list IS DISTINCT FROM p_job.list THEN
            RAISE serialization_failure USING MESSAGE = 'the job has moved on';
        END IF;
        IF slashbatch.queue_take_out(v_now) THEN
            o_wakes := ARRAY[v_now.owner];
        END IF;
        UPDATE slashbatch.queue_job j
        SET state = 'cancelled', ended = slashbatch.queue_now(), list = NULL, number = NULL, total = NULL, not_before = NULL
        WHERE j.id = p_job.id;
        o_answer := 'removed';
    ELSIF p_job.state = 'running' THEN
        SELECT c.sealed INTO v_sealed FROM slashbatch.queue_claim c
        WHERE c.claim = p_job.claim AND c.job = p_job.id AND NOT c.cancelled FOR UPDATE;
        IF NOT FOUND THEN
            RAISE serialization_failure USING MESSAGE = 'the job has moved on';
        ELSIF v_sealed THEN
            o_answer := 'late';
            RETURN;
        END IF;
        UPDATE slashbatch.queue_claim c SET cancelled = true WHERE c.claim = p_job.claim;
        UPDATE slashbatch.queue_job j SET state = 'cancelled', ended = slashbatch.queue_now() WHERE j.id = p_job.id;
        o_answer := 'stopping';
    ELSE
        o_answer := 'late';
    END IF;
END $$;

-- Cancel: ends a job for everybody.
--
-- Arguments  job
-- Returns    o_answer 'removed', 'stopping', 'late', or 'none' when there is no such
--            job; whom to wake; o_job the job
-- Locks      gate, then as queue_stop
-- Cost       as queue_stop
CREATE FUNCTION slashbatch.queue_cancel(p_id bytea,
    OUT o_answer text, OUT o_wakes bytea[], OUT o_job slashbatch.queue_view)
LANGUAGE plpgsql AS $$
DECLARE
    v_job slashbatch.queue_job;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    SELECT * INTO v_job FROM slashbatch.queue_job j WHERE j.id = p_id;
    IF NOT FOUND THEN
        o_answer := 'none';
        RETURN;
    END IF;
    SELECT s.o_answer, s.o_wakes INTO o_answer, o_wakes FROM slashbatch.queue_stop(v_job) s;
    SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = p_id;
END $$;

-- Leave: takes a user off a job's waiters; without any left it is cancelled. Whoever
-- waited to the end stays on record as a waiter. A pending job whose owner leaves
-- goes to the list of the waiter with the fewest jobs there; among equals the one
-- furthest ahead in line, among those without work the one who joined first.
--
-- Arguments  job, user
-- Returns    o_answer 'wanted', 'moved' (wanted, and now in another's list),
--            'removed', 'stopping', 'late', or 'none' when there is no such job or
--            the user does not wait for it; whom to wake; o_job the job
-- Locks      gate; then as queue_stop, or the job, or both lists and the job
-- Cost       as queue_stop, and O(waiters) to find an heir
CREATE FUNCTION slashbatch.queue_leave(p_id bytea, p_user bytea,
    OUT o_answer text, OUT o_wakes bytea[], OUT o_job slashbatch.queue_view)
LANGUAGE plpgsql AS $$
DECLARE
    v_user bytea := sha256(p_user);
    v_seen slashbatch.queue_job;
    v_job slashbatch.queue_job;
    v_heir slashbatch.queue_waiter;
    v_list slashbatch.queue_list;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    o_wakes := '{}';
    SELECT * INTO v_seen FROM slashbatch.queue_job j WHERE j.id = p_id;
    PERFORM FROM slashbatch.queue_waiter w WHERE w.job = p_id AND sha256(w.owner) = v_user;
    IF NOT FOUND OR v_seen.id IS NULL THEN
        o_answer := 'none';
        RETURN;
    END IF;
    SELECT w.* INTO v_heir
    FROM slashbatch.queue_waiter w
    LEFT JOIN LATERAL (
        SELECT o.pending, o.delayed, o.running, o.place FROM slashbatch.queue_list o
        WHERE o.lane = v_seen.lane AND sha256(o.owner) = sha256(w.owner) LIMIT 1
    ) l ON true
    WHERE w.job = p_id AND sha256(w.owner) <> v_user
    ORDER BY coalesce(l.pending + l.delayed + l.running, 0), l.place, w.joined LIMIT 1;

    IF NOT FOUND OR v_seen.state NOT IN ('pending', 'running') THEN
        SELECT s.o_answer, s.o_wakes INTO o_answer, o_wakes FROM slashbatch.queue_stop(v_seen) s;
        -- The job is locked now: who joined it meanwhile is seen here.
        PERFORM FROM slashbatch.queue_waiter w WHERE w.job = p_id AND sha256(w.owner) <> v_user;
        IF FOUND AND o_answer <> 'late' THEN
            RAISE serialization_failure USING MESSAGE = 'somebody has joined the job';
        END IF;
        SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = p_id;
        RETURN;
    END IF;

    IF v_seen.state = 'pending' AND v_seen.owner = p_user THEN
        IF v_heir.owner < p_user THEN
            v_list := slashbatch.queue_hold(v_seen.lane, v_heir.owner, v_heir.running_cap);
        END IF;
        PERFORM FROM slashbatch.queue_list l WHERE l.id = v_seen.list FOR UPDATE;
        IF v_heir.owner > p_user THEN
            v_list := slashbatch.queue_hold(v_seen.lane, v_heir.owner, v_heir.running_cap);
        END IF;
    END IF;
    SELECT * INTO v_job FROM slashbatch.queue_job j WHERE j.id = p_id FOR UPDATE;
    PERFORM FROM slashbatch.queue_waiter w WHERE w.job = p_id AND sha256(w.owner) = sha256(v_heir.owner);
    IF NOT FOUND OR v_job.state IS DISTINCT FROM v_seen.state OR v_job.list IS DISTINCT FROM v_seen.list
       OR v_job.number IS NULL AND v_seen.number IS NOT NULL THEN
        RAISE serialization_failure USING MESSAGE = 'the job has moved on';
    END IF;
    PERFORM FROM slashbatch.queue_claim c WHERE c.claim = v_job.claim AND c.job = p_id AND c.sealed;
    IF FOUND THEN
        o_answer := 'late';
    ELSE
        o_answer := 'wanted';
        DELETE FROM slashbatch.queue_waiter w WHERE w.job = p_id AND sha256(w.owner) = v_user;
        IF v_list.id IS NOT NULL THEN
            PERFORM slashbatch.queue_move(v_job, v_list.id, v_heir.owner, v_heir.running_cap);
            o_answer := 'moved';
        END IF;
    END IF;
    SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = p_id;
END $$;
