-- Sweep, in short transactions: one that looks what there is to do, one for each job
-- that is due and each claim that is dead, and some that forget.

-- Begins a sweep. When nobody has swept for half a lease, or the clock has jumped,
-- nobody may have been there to beat: then all leases begin anew, and no claim is
-- dead.
--
-- Arguments  lease, the most jobs and claims to be returned
-- Returns    whether leases were extended; jobs whose retry is due and claims whose
--            lease has run out, the latest submitted job first: each goes to the head
--            of its list, so those of one list come to stand as they were submitted
-- Locks      the queue's row; to extend leases all claims, by id
-- Cost       O(claims + due jobs)
CREATE FUNCTION slashbatch.queue_sweep(p_lease bigint, p_max integer,
    OUT o_extended boolean, OUT o_due bytea[], OUT o_dead bytea[])
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := slashbatch.queue_now();
    v_last timestamptz;
BEGIN
    SELECT m.swept INTO v_last FROM slashbatch.queue_meta m FOR UPDATE;
    UPDATE slashbatch.queue_meta m SET swept = v_now;
    o_due := ARRAY(
        SELECT d.id FROM (
            SELECT j.id, j.ord FROM slashbatch.queue_job j WHERE j.not_before <= v_now ORDER BY j.not_before LIMIT p_max
        ) d ORDER BY d.ord DESC);
    o_dead := '{}';
    o_extended := v_last IS NULL OR v_now NOT BETWEEN v_last AND v_last + slashbatch.queue_ms(p_lease / 2);
    IF o_extended THEN
        UPDATE slashbatch.queue_claim c SET lease = v_now + slashbatch.queue_ms(p_lease)
        FROM (SELECT d.claim FROM slashbatch.queue_claim d
              WHERE d.lease < v_now + slashbatch.queue_ms(p_lease) ORDER BY d.claim FOR UPDATE) d
        WHERE c.claim = d.claim;
    ELSE
        o_dead := ARRAY(
            SELECT d.claim FROM (
                SELECT c.claim, c.job FROM slashbatch.queue_claim c WHERE c.lease <= v_now ORDER BY c.lease LIMIT p_max
            ) d LEFT JOIN slashbatch.queue_job j ON j.id = d.job ORDER BY j.ord DESC);
    END IF;
END $$;

-- Puts a job whose retry is due at the head of its list, which keeps its place in
-- line.
--
-- Arguments  job
-- Returns    whom to wake, null when it does not wait any more
-- Locks      gate, list, job
-- Cost       O(log lists)
CREATE FUNCTION slashbatch.queue_resume(p_id bytea) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    v_seen slashbatch.queue_job;
    v_list slashbatch.queue_list;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1936482929, 1);
    SELECT * INTO v_seen FROM slashbatch.queue_job j WHERE j.id = p_id AND j.not_before <= slashbatch.queue_now();
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    UPDATE slashbatch.queue_list l
    SET delayed = l.delayed - 1, pending = l.pending + 1, estimates = l.estimates + v_seen.estimate,
        head = l.head - 1, head_total = l.head_total - v_seen.estimate, gate = slashbatch.queue_gate(v_seen.source)
    WHERE l.id = v_seen.list RETURNING * INTO v_list;
    IF v_list.holes > 0 THEN -- one that was left below the head would count again
        PERFORM slashbatch.queue_fill(v_list.id, v_list.head, v_list.head + 1, 1);
    END IF;
    UPDATE slashbatch.queue_job j SET not_before = NULL, number = v_list.head, total = v_list.head_total
    WHERE j.id = p_id AND j.list = v_list.id AND j.not_before IS NOT NULL;
    IF NOT FOUND THEN
        RAISE serialization_failure USING MESSAGE = 'the job has moved on';
    END IF;
    RETURN v_list.owner;
END $$;

-- Forgets dead workers, ended claims past their lease, final jobs past retention, and
-- what is left of lists that are gone. None of it is held by anybody.
--
-- Arguments  retention, the most of each kind
-- Returns    whether there may be more
-- Locks      what it removes, passing over what is locked; the gate alone, if it is
--            free, while there is no list
-- Cost       O(p_max)
CREATE FUNCTION slashbatch.queue_forget(p_retention bigint, p_max integer) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz := slashbatch.queue_now();
    v_jobs bytea[];
    v_count integer;
    v_more boolean := false;
    v_stray bigint;
BEGIN
    DELETE FROM slashbatch.queue_worker w WHERE w.expires <= v_now;

    WITH first AS MATERIALIZED (
        SELECT s.claim FROM slashbatch.queue_spent s WHERE s.until <= v_now ORDER BY s.until LIMIT p_max
    )
    DELETE FROM slashbatch.queue_spent s USING first WHERE s.claim = first.claim;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    v_more := v_count >= p_max;

    WITH first AS MATERIALIZED (
        SELECT j.id FROM slashbatch.queue_job j WHERE j.ended <= v_now - slashbatch.queue_ms(p_retention)
        ORDER BY j.ended LIMIT p_max FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM slashbatch.queue_job j USING first WHERE j.id = first.id RETURNING j.id
    )
    SELECT coalesce(array_agg(g.id), '{}') INTO v_jobs FROM gone g;
    DELETE FROM slashbatch.queue_waiter w USING unnest(v_jobs) g (id) WHERE w.job = g.id;
    v_more := v_more OR cardinality(v_jobs) >= p_max;

    SELECT s.list INTO v_stray FROM slashbatch.queue_stray s LIMIT 1;
    IF FOUND THEN
        WITH first AS MATERIALIZED (
            SELECT h.level, h.block FROM slashbatch.queue_hole h WHERE h.list = v_stray LIMIT p_max
        )
        DELETE FROM slashbatch.queue_hole h USING first
        WHERE h.list = v_stray AND h.level = first.level AND h.block = first.block;
        GET DIAGNOSTICS v_count = ROW_COUNT;
        IF v_count < p_max THEN
            DELETE FROM slashbatch.queue_stray s WHERE s.list = v_stray;
        END IF;
        v_more := true;
    END IF;

    -- Without any list all lines are free, and numbered from 0 again: by the next
    -- sweep, for a transaction that does not commit undoes the one but not the other.
    IF NOT EXISTS (SELECT FROM slashbatch.queue_list)
       AND (EXISTS (SELECT FROM slashbatch.queue_line) OR (SELECT n.is_called FROM slashbatch.queue_next_line n))
       AND pg_try_advisory_xact_lock(1936482929, 1) AND NOT EXISTS (SELECT FROM slashbatch.queue_list) THEN
        DELETE FROM slashbatch.queue_line;
        IF NOT FOUND THEN
            PERFORM setval('slashbatch.queue_next_line', 0, false);
        END IF;
    END IF;
    RETURN v_more;
END $$;
