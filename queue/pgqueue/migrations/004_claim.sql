-- Claim, Beat and Seal.

-- The lists that may start a job, best first, at most p_max for each gate that is
-- open: those at their cap and those behind a full source are in neither index, so
-- none is ever passed over. O(sources with a capacity + log lists), for p_max 1.
CREATE FUNCTION slashbatch.queue_best(p_lane text, p_max integer)
RETURNS TABLE (id bigint, running integer, place bigint, owner bytea)
LANGUAGE sql STABLE AS $$
    SELECT b.id, b.running, b.place, b.owner
    FROM (SELECT 0 AS gate UNION ALL SELECT s.gate FROM slashbatch.queue_source s WHERE s.running < s.capacity) g
    CROSS JOIN LATERAL (
        SELECT l.id, l.running, l.place, l.owner FROM slashbatch.queue_list l
        WHERE l.lane = p_lane AND l.gate = g.gate AND l.ready
        ORDER BY l.running, l.place LIMIT p_max
    ) b
    WHERE NOT (SELECT m.paused FROM slashbatch.queue_meta m)
    ORDER BY b.running, b.place
$$;

-- Claim: takes the next job of a lane.
--
-- Lists that somebody else holds are passed over. When all that could be claimed
-- is held, the answer is 'busy' and the caller asks again with p_wait, which first
-- waits for the best list: as the first thing, so that nobody waits in a circle.
--
-- Arguments  claim and a hash of it, worker, lane, lease, whether to wait
-- Returns    o_answer 'taken' or 'held' (by this claim, before) with o_job and
--            o_definition; 'none' when no list may start a job or the claim has
--            ended before; 'busy'
-- Locks      claim id, gate, list (see above), source, job
-- Cost       as queue_best
CREATE FUNCTION slashbatch.queue_take(p_claim bytea, p_claim_lock integer, p_worker bytea, p_lane text, p_lease bigint, p_wait boolean,
    OUT o_answer text, OUT o_definition bytea, OUT o_job slashbatch.queue_view)
LANGUAGE plpgsql AS $$
DECLARE
    v_known record;
    v_list slashbatch.queue_list;
    v_job slashbatch.queue_job;
    v_max integer := 4;
    v_now timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(1936482915, p_claim_lock);
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    SELECT c.job, true AS held INTO v_known FROM slashbatch.queue_claim c WHERE c.claim = p_claim
    UNION ALL SELECT s.job, false FROM slashbatch.queue_spent s WHERE s.claim = p_claim;
    IF FOUND THEN
        o_answer := 'none';
        IF v_known.held THEN
            SELECT j.definition INTO o_definition FROM slashbatch.queue_job j WHERE j.id = v_known.job;
            SELECT v.* INTO o_job FROM slashbatch.queue_view v WHERE v.id = v_known.job;
            o_answer := CASE WHEN FOUND THEN 'held' ELSE 'none' END;
        END IF;
        RETURN;
    END IF;

    IF p_wait THEN
        -- Just the best of all gates: one that is not ready any more once it is
        -- held stays held, and may not be held while another is waited for.
        SELECT l.* INTO v_list
        FROM (SELECT f.id FROM slashbatch.queue_best(p_lane, 1) f LIMIT 1) b JOIN slashbatch.queue_list l ON l.id = b.id
        WHERE l.ready FOR UPDATE OF l;
    END IF;
    LOOP
        WHILE v_list.id IS NULL LOOP
            -- What the list was when it was chosen it must still be: who has been
            -- served since stands further behind.
            SELECT l.* INTO v_list FROM slashbatch.queue_best(p_lane, v_max) b JOIN slashbatch.queue_list l ON l.id = b.id
            WHERE l.ready AND l.running = b.running AND l.place = b.place
            ORDER BY b.running, b.place LIMIT 1 FOR UPDATE OF l SKIP LOCKED;
            EXIT WHEN FOUND;
            PERFORM FROM slashbatch.queue_best(p_lane, 1);
            IF NOT FOUND THEN
                o_answer := 'none';
                RETURN;
            ELSIF v_max > 4 THEN
                o_answer := 'busy';
                RETURN;
            END IF;
            v_max := 64;
        END LOOP;
        EXIT WHEN v_list.gate = 0;
        UPDATE slashbatch.queue_source s SET running = s.running + 1 WHERE s.gate = v_list.gate AND s.running < s.capacity;
        EXIT WHEN FOUND;
        v_list := NULL; -- it has become full
    END LOOP;

    v_now := slashbatch.queue_now();
    UPDATE slashbatch.queue_job j
    SET state = 'running', list = NULL, number = NULL, total = NULL, claim = p_claim, started = v_now,
        attempt = j.attempt + 1, sealed = false, rows = 0, bytes = 0, expected = 0, error = NULL
    WHERE j.list = v_list.id AND j.number = v_list.head
    RETURNING * INTO v_job;
    IF NOT FOUND THEN
        RAISE 'list % has no job numbered %', v_list.id, v_list.head;
    END IF;
    UPDATE slashbatch.queue_list l
    SET pending = l.pending - 1, running = l.running + 1, estimates = l.estimates - v_job.estimate,
        place = nextval('slashbatch.queue_tick'),
        head = coalesce(h.number, l.next), head_total = coalesce(h.total, l.next_total), gate = coalesce(h.gate, 0)
    FROM (SELECT) one LEFT JOIN slashbatch.queue_head(v_list.id, v_list.head + 1) h ON true
    WHERE l.id = v_list.id;
    IF v_list.holes > 0 THEN
        PERFORM slashbatch.queue_fill(v_list.id, 0, v_list.head + 1, 8);
    END IF;
    INSERT INTO slashbatch.queue_claim (claim, job, list, lane, owner, source, class, worker, estimate, started, lease)
    VALUES (p_claim, v_job.id, v_list.id, p_lane, v_list.owner, v_job.source, v_job.class, p_worker, v_job.estimate,
        v_now, v_now + slashbatch.queue_ms(p_lease));
    o_answer := 'taken';
    o_definition := v_job.definition;
    -- As queue_view has it, without reading it again.
    o_job := ROW(v_job.id, v_job.ord, v_job.key, v_job.owner, v_job.lane, v_job.kind, v_job.source, v_job.class,
        v_job.retry, v_job.estimate, v_job.state, v_job.submitted, v_job.started, v_job.ended, v_job.attempt,
        v_job.crashes, v_job.failures, false, 0, 0, 0, v_job.steps, v_job.outcome, v_job.error, v_job.not_before,
        NULL, 0, 0, NULL, NULL);
END $$;

-- What to tell a holder whose claim does not take a place for this job: 'ok' when
-- it was ended by this very call before, else 'lost'; and the state that the call
-- came to, or the job is in now, empty when it is gone. O(1).
CREATE FUNCTION slashbatch.queue_lost(p_job bytea, p_claim bytea, p_how text, OUT o_answer text, OUT o_state text)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_claim bytea;
BEGIN
    o_answer := 'ok';
    SELECT s.state INTO o_state FROM slashbatch.queue_spent s
    WHERE s.claim = p_claim AND s.job = p_job AND s.how = p_how;
    IF FOUND THEN
        RETURN;
    END IF;
    SELECT j.state, j.claim INTO o_state, v_claim FROM slashbatch.queue_job j WHERE j.id = p_job;
    IF v_claim = p_claim AND (p_how = 'finished' AND o_state = 'done' OR p_how = 'failed' AND o_state = 'failed') THEN
        RETURN;
    END IF;
    o_answer := 'lost';
    o_state := coalesce(o_state, '');
END $$;

-- Beat: registers a worker and extends the leases of its claims.
--
-- Arguments  worker; its slots by lane, null to take it out; lease; then for each
--            beat job, claim, progress and steps (null: as they are)
-- Returns    for each beat 'ok', or the state of a job that is not its own any more,
--            empty when that is gone
-- Locks      the worker, then the claims, by id
-- Cost       O(1) for each claim
CREATE FUNCTION slashbatch.queue_beat(p_worker bytea, p_slots jsonb, p_lease bigint, p_jobs bytea[], p_claims bytea[],
    p_rows bigint[], p_bytes bigint[], p_expected bigint[], p_steps bytea[]) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    v_lease timestamptz := slashbatch.queue_now() + slashbatch.queue_ms(p_lease);
BEGIN
    IF p_slots IS NULL THEN
        DELETE FROM slashbatch.queue_worker w WHERE sha256(w.worker) = sha256(p_worker);
    ELSE
        INSERT INTO slashbatch.queue_worker (worker, slots, expires) VALUES (p_worker, p_slots, v_lease)
        ON CONFLICT (sha256(worker)) DO UPDATE SET slots = excluded.slots, expires = excluded.expires;
    END IF;
    IF cardinality(p_claims) = 0 THEN
        RETURN '{}';
    END IF;
    UPDATE slashbatch.queue_claim c
    SET lease = v_lease, rows = b.rows, bytes = b.bytes, expected = b.expected, steps = coalesce(b.steps, c.steps)
    FROM (SELECT d.claim, b.rows, b.bytes, b.expected, b.steps
          FROM unnest(p_jobs, p_claims, p_rows, p_bytes, p_expected, p_steps) b (job, claim, rows, bytes, expected, steps)
          JOIN slashbatch.queue_claim d ON d.claim = b.claim AND d.job = b.job
          WHERE NOT d.cancelled
          ORDER BY d.claim FOR UPDATE OF d) b
    WHERE c.claim = b.claim AND NOT c.cancelled;
    RETURN ARRAY(
        SELECT coalesce(
            (SELECT 'ok' FROM slashbatch.queue_claim c WHERE c.claim = b.claim AND c.job = b.job AND NOT c.cancelled),
            (SELECT j.state FROM slashbatch.queue_job j WHERE j.id = b.job),
            '')
        FROM unnest(p_jobs, p_claims) WITH ORDINALITY b (job, claim, n) ORDER BY b.n);
END $$;

-- Seal: the holder is about to publish; from here on cancel comes too late.
--
-- Arguments  job, claim
-- Returns    o_answer 'ok', or 'lost' with o_state
-- Locks      the claim
-- Cost       O(1)
CREATE FUNCTION slashbatch.queue_seal(p_job bytea, p_claim bytea, OUT o_answer text, OUT o_state text)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE slashbatch.queue_claim c SET sealed = true WHERE c.claim = p_claim AND c.job = p_job AND NOT c.cancelled;
    IF FOUND THEN
        o_answer := 'ok';
        RETURN;
    END IF;
    SELECT l.o_answer, l.o_state INTO o_answer, o_state FROM slashbatch.queue_lost(p_job, p_claim, 'sealed') l;
END $$;
