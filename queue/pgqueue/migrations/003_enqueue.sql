-- Enqueue and Join.

-- Whether a user would reach a pending job sooner at the end of the own list: with
-- fewer jobs there than run and stand before it in the list where it is.
CREATE FUNCTION slashbatch.queue_sooner(p_job slashbatch.queue_job, p_user bytea) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_list slashbatch.queue_list;
    v_before bigint;
    v_own bigint;
BEGIN
    SELECT * INTO v_list FROM slashbatch.queue_list l WHERE l.id = p_job.list;
    v_before := v_list.running + p_job.number - v_list.head;
    IF v_list.holes > 0 THEN
        v_before := v_before - (slashbatch.queue_holes(v_list.id, v_list.head, p_job.number))[1];
    END IF;
    SELECT l.pending + l.delayed + l.running INTO v_own
    FROM slashbatch.queue_list l WHERE l.lane = p_job.lane AND sha256(l.owner) = sha256(p_user);
    RETURN coalesce(v_own, 0) < v_before;
END $$;

-- Makes a user a waiter of a job, who takes it over when that is sooner.
--
-- Arguments  job, user, running cap for the user's list
-- Returns    'late' for a job that has ended or is not there, else 'waits', or
--            'moved' when the job stands in the user's list now
-- Locks      nothing when nothing changes; else the job, and to take it over
--            both lists before
-- Cost       as queue_take_out
CREATE FUNCTION slashbatch.queue_wait(p_id bytea, p_user bytea, p_cap integer) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    v_job slashbatch.queue_job;
    v_now slashbatch.queue_job;
    v_list slashbatch.queue_list;
    v_answer text := 'waits';
BEGIN
    SELECT * INTO v_job FROM slashbatch.queue_job j WHERE j.id = p_id;
    IF NOT FOUND OR v_job.state NOT IN ('pending', 'running') THEN
        RETURN 'late';
    END IF;
    IF v_job.number IS NOT NULL AND v_job.owner <> p_user AND slashbatch.queue_sooner(v_job, p_user) THEN
        IF p_user < v_job.owner THEN
            v_list := slashbatch.queue_hold(v_job.lane, p_user, p_cap);
        END IF;
        PERFORM FROM slashbatch.queue_list l WHERE l.id = v_job.list FOR UPDATE;
        IF p_user > v_job.owner THEN
            v_list := slashbatch.queue_hold(v_job.lane, p_user, p_cap);
        END IF;
        SELECT * INTO v_now FROM slashbatch.queue_job j WHERE j.id = p_id FOR UPDATE;
        IF v_now.list IS DISTINCT FROM v_job.list OR v_now.number IS NULL OR NOT slashbatch.queue_sooner(v_now, p_user) THEN
            RAISE serialization_failure USING MESSAGE = 'the job has moved on';
        END IF;
        PERFORM slashbatch.queue_move(v_now, v_list.id, p_user, p_cap);
        v_answer := 'moved';
    ELSE
        PERFORM FROM slashbatch.queue_waiter w
        WHERE w.job = p_id AND sha256(w.owner) = sha256(p_user) AND w.running_cap = p_cap;
        IF FOUND THEN
            RETURN v_answer;
        END IF;
        -- Without this lock the job could end, or its last waiter leave, unseen.
        SELECT * INTO v_now FROM slashbatch.queue_job j WHERE j.id = p_id FOR UPDATE;
        IF NOT FOUND OR v_now.state NOT IN ('pending', 'running') THEN
            RETURN 'late';
        END IF;
    END IF;
    INSERT INTO slashbatch.queue_waiter AS w (job, owner, ord, joined, running_cap)
    VALUES (p_id, p_user, v_job.ord, nextval('slashbatch.queue_tick'), p_cap)
    ON CONFLICT (job, sha256(owner)) DO UPDATE SET running_cap = excluded.running_cap;
    RETURN v_answer;
END $$;

-- Join: makes a user a waiter of a job.
--
-- Arguments  job, user, running cap for the user's list
-- Returns    o_answer 'none' when there is no such job, 'moved' when it stands in
--            the user's list now, else 'waits' or 'late'; o_job the job
-- Locks      gate, then as queue_wait
-- Cost       as queue_take_out
CREATE FUNCTION slashbatch.queue_join(p_id bytea, p_user bytea, p_cap integer,
    OUT o_answer text, OUT o_job slashbatch.queue_view)
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    o_answer := slashbatch.queue_wait(p_id, p_user, p_cap);
    SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = p_id;
    IF NOT FOUND THEN
        o_answer := 'none';
    END IF;
END $$;

-- Enqueue: makes a job or finds the one that stands for the key.
--
-- Arguments  as queue.Submission; p_key null for none, p_key_lock a hash of it
-- Returns    o_answer 'new': o_job has only what the database decided: ord,
--                submitted, estimate and standing
--            'known': this id was enqueued before
--            'stands': an ended job stands for the key; 'waits', 'moved': an active
--                one, for which the user waits now; see queue_wait
--            'full': the list is at its cap, with o_queued jobs
-- Locks      key, gate, the user's list; or as queue_wait
-- Cost       O(log)
CREATE FUNCTION slashbatch.queue_enqueue(
    p_id bytea, p_key bytea, p_key_lock integer, p_after bytea, p_owner bytea, p_lane text, p_kind bytea,
    p_source bytea, p_class bytea, p_estimate bigint, p_running_cap integer, p_queued_cap integer, p_retry integer,
    p_definition bytea,
    OUT o_answer text, OUT o_queued integer, OUT o_job slashbatch.queue_view)
LANGUAGE plpgsql AS $$
DECLARE
    v_last record;
    v_list slashbatch.queue_list;
    v_owner bytea := sha256(p_owner);
    v_estimate bigint;
    v_tick bigint;
    v_now timestamptz;
BEGIN
    IF p_key IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(1936482923, p_key_lock);
    END IF;
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = p_id;
    IF FOUND THEN
        o_answer := 'known';
        RETURN;
    END IF;

    IF p_key IS NOT NULL THEN
        LOOP
            SELECT j.id, j.state INTO v_last FROM slashbatch.queue_job j
            WHERE sha256(j.key) = sha256(p_key) AND j.key IS NOT NULL ORDER BY j.ord DESC LIMIT 1;
            EXIT WHEN NOT FOUND;
            o_answer := 'stands';
            IF v_last.state IN ('pending', 'running') THEN
                o_answer := slashbatch.queue_wait(v_last.id, p_owner, p_running_cap);
                CONTINUE WHEN o_answer = 'late'; -- it has ended since
            ELSIF v_last.id = p_after THEN
                EXIT;
            END IF;
            SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = v_last.id;
            RETURN;
        END LOOP;
    END IF;

    IF p_class <> '' THEN
        SELECT e.mean INTO v_estimate FROM slashbatch.queue_estimate e WHERE sha256(e.class) = sha256(p_class);
    END IF;
    v_estimate := coalesce(v_estimate, p_estimate);
    LOOP
        UPDATE slashbatch.queue_list l
        SET cap = p_running_cap, pending = l.pending + 1, estimates = l.estimates + v_estimate,
            next = l.next + 1, next_total = l.next_total + v_estimate,
            gate = CASE WHEN l.pending = 0 THEN slashbatch.queue_gate(p_source) ELSE l.gate END
        WHERE l.lane = p_lane AND sha256(l.owner) = v_owner
          AND (p_queued_cap <= 0 OR l.pending + l.delayed < p_queued_cap)
        RETURNING * INTO v_list;
        EXIT WHEN FOUND;
        SELECT l.pending + l.delayed INTO o_queued FROM slashbatch.queue_list l
        WHERE l.lane = p_lane AND sha256(l.owner) = v_owner;
        IF NOT FOUND THEN
            PERFORM slashbatch.queue_open(p_lane, p_owner, p_running_cap);
        ELSIF o_queued >= p_queued_cap AND p_queued_cap > 0 THEN
            -- Perhaps full of this very job: the same call may have been quicker.
            SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = p_id;
            o_answer := CASE WHEN FOUND THEN 'known' ELSE 'full' END;
            RETURN;
        END IF;
    END LOOP;

    v_tick := nextval('slashbatch.queue_tick');
    v_now := slashbatch.queue_now();
    INSERT INTO slashbatch.queue_job (id, ord, key, owner, lane, kind, source, class, estimate, retry, state,
        list, number, total, submitted, definition)
    VALUES (p_id, v_tick, p_key, p_owner, p_lane, p_kind, p_source, p_class, v_estimate, p_retry, 'pending',
        v_list.id, v_list.next - 1, v_list.next_total - v_estimate, v_now, p_definition)
    ON CONFLICT (id) DO NOTHING;
    IF NOT FOUND THEN
        RAISE serialization_failure USING MESSAGE = 'the same call was quicker';
    END IF;
    INSERT INTO slashbatch.queue_waiter (job, owner, ord, joined, running_cap)
    VALUES (p_id, p_owner, v_tick, v_tick, p_running_cap);

    o_answer := 'new';
    o_job.ord := v_tick;
    o_job.submitted := v_now;
    o_job.estimate := v_estimate;
    o_job.line := v_list.line;
    o_job.index := v_list.pending - 1; -- the last one: all others are before it
    o_job.ahead := v_list.estimates - v_estimate;
    o_job.running := v_list.running;
    o_job.place := v_list.place;
END $$;
