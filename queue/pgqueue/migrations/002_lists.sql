-- What jobs and lists are made of: reading them, and the few changes that every
-- operation is put together from. Those that change a list need it locked, by the
-- caller or by themselves, and the gate shared.

-- The database's clock, in the resolution that the contract promises.
CREATE FUNCTION slashbatch.queue_now() RETURNS timestamptz
LANGUAGE sql VOLATILE AS $$
    SELECT date_trunc('milliseconds', clock_timestamp())
$$;

-- So many milliseconds.
CREATE FUNCTION slashbatch.queue_ms(p_ms bigint) RETURNS interval
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_ms * interval '1 millisecond'
$$;

-- The gate of a source: 0 for one without a capacity. O(1).
CREATE FUNCTION slashbatch.queue_gate(p_source bytea) RETURNS integer
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce((SELECT s.gate FROM slashbatch.queue_source s WHERE sha256(s.source) = sha256(p_source)), 0);
END $$;

-- The first job of a list that is numbered p_from or later: its number, total
-- and gate. O(1), since what was claimed before stands before p_from in the index.
CREATE FUNCTION slashbatch.queue_head(p_list bigint, p_from bigint)
RETURNS TABLE (number bigint, total bigint, gate integer)
LANGUAGE sql STABLE AS $$
    SELECT j.number, j.total, slashbatch.queue_gate(j.source)
    FROM slashbatch.queue_job j
    WHERE j.list = p_list AND j.number >= p_from
    ORDER BY j.number LIMIT 1
$$;

-- Holes -----------------------------------------------------------------------

-- How many jobs are missing among the numbers from p_from to below p_upto, and
-- the sum of their estimates. At most 126 rows at each of six levels.
CREATE FUNCTION slashbatch.queue_holes(p_list bigint, p_from bigint, p_upto bigint) RETURNS bigint[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_low   bigint := p_from;
    v_high  bigint := p_upto;
    v_level smallint := 0;
    v_left  bigint; -- where the first whole block of the next level begins
    v_right bigint; -- where the last one ends
    v_part  record;
    v_holes bigint := 0;
    v_estimates bigint := 0;
BEGIN
    WHILE v_low < v_high LOOP
        v_left := least(v_high, (v_low + 63) / 64 * 64);
        v_right := greatest(v_left, v_high / 64 * 64);
        SELECT coalesce(sum(s.holes), 0) AS holes, coalesce(sum(s.estimates), 0) AS estimates INTO v_part
        FROM (SELECT h.holes, h.estimates FROM slashbatch.queue_hole h
              WHERE h.list = p_list AND h.level = v_level AND h.block >= v_low AND h.block < v_left
              UNION ALL
              SELECT h.holes, h.estimates FROM slashbatch.queue_hole h
              WHERE h.list = p_list AND h.level = v_level AND h.block >= v_right AND h.block < v_high) s;
        v_holes := v_holes + v_part.holes;
        v_estimates := v_estimates + v_part.estimates;
        v_low := (v_low + 63) / 64;
        v_high := v_high / 64;
        v_level := v_level + 1;
    END LOOP;
    RETURN ARRAY[v_holes, v_estimates];
END $$;

-- Notes that a job is missing from the middle of a list. O(levels).
CREATE FUNCTION slashbatch.queue_dig(p_list bigint, p_number bigint, p_estimate bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO slashbatch.queue_hole AS h (list, level, block, holes, estimates)
    SELECT p_list, l, p_number >> 6 * l, 1, p_estimate FROM generate_series(0, 5) l
    ON CONFLICT (list, level, block) DO UPDATE
    SET holes = h.holes + 1, estimates = h.estimates + excluded.estimates
$$;

-- Removes up to p_max holes from p_from to below p_upto. Holes below the head of a
-- list do no harm, so they go a few at a time as the head passes; only one with
-- the number that a job is given must go at once. O(p_max * levels).
CREATE FUNCTION slashbatch.queue_fill(p_list bigint, p_from bigint, p_upto bigint, p_max integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_hole record;
    v_gone integer := 0;
BEGIN
    FOR v_hole IN
        WITH first AS MATERIALIZED (
            SELECT f.block FROM slashbatch.queue_hole f
            WHERE f.list = p_list AND f.level = 0 AND f.block >= p_from AND f.block < p_upto
            ORDER BY f.block LIMIT p_max
        )
        DELETE FROM slashbatch.queue_hole h USING first
        WHERE h.list = p_list AND h.level = 0 AND h.block = first.block
        RETURNING h.block, h.estimates
    LOOP
        UPDATE slashbatch.queue_hole h SET holes = h.holes - 1, estimates = h.estimates - v_hole.estimates
        FROM generate_series(1, 5) l
        WHERE h.list = p_list AND h.level = l AND h.block = v_hole.block >> 6 * l;
        DELETE FROM slashbatch.queue_hole h
        USING generate_series(1, 5) l
        WHERE h.list = p_list AND h.level = l AND h.block = v_hole.block >> 6 * l AND h.holes = 0;
        v_gone := v_gone + 1;
    END LOOP;
    IF v_gone > 0 THEN
        UPDATE slashbatch.queue_list l SET holes = l.holes - v_gone WHERE l.id = p_list;
    END IF;
END $$;

-- Views -----------------------------------------------------------------------

-- A job as callers see it, without its definition. What only a running job has
-- comes from its claim, what only a pending one has from its list.
CREATE VIEW slashbatch.queue_view AS
    SELECT j.id, j.ord, j.key, j.owner, j.lane, j.kind, j.source, j.class, j.retry, j.estimate, j.state,
           j.submitted, j.started, j.ended, j.attempt, j.crashes, j.failures,
           coalesce(c.sealed, j.sealed) AS sealed,
           coalesce(c.rows, j.rows) AS rows,
           coalesce(c.bytes, j.bytes) AS bytes,
           coalesce(c.expected, j.expected) AS expected,
           coalesce(c.steps, j.steps) AS steps,
           j.outcome, j.error, j.not_before,
           l.line,
           coalesce(j.number - l.head - coalesce(h.missing[1], 0), 0) AS index,
           coalesce(j.total - l.head_total - coalesce(h.missing[2], 0), 0) AS ahead,
           l.running, l.place
    FROM slashbatch.queue_job j
    LEFT JOIN slashbatch.queue_claim c ON c.claim = j.claim AND c.job = j.id
    LEFT JOIN slashbatch.queue_list l ON l.id = j.list
    LEFT JOIN LATERAL (
        SELECT CASE WHEN l.holes > 0 THEN slashbatch.queue_holes(l.id, l.head, j.number) END AS missing
        OFFSET 0 -- once, not for each mention
    ) h ON true;

-- Lists -----------------------------------------------------------------------

-- Makes the list of a user who has no work in a lane; it joins the line at its
-- end. Does nothing when the list is there; waits while somebody else makes it.
CREATE FUNCTION slashbatch.queue_open(p_lane text, p_owner bytea, p_cap integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_line integer;
    v_tick bigint := nextval('slashbatch.queue_tick');
BEGIN
    WITH first AS MATERIALIZED ( -- once, for each time would lock another
        SELECT f.line FROM slashbatch.queue_line f ORDER BY f.line LIMIT 1 FOR UPDATE SKIP LOCKED
    )
    DELETE FROM slashbatch.queue_line l USING first WHERE l.line = first.line RETURNING l.line INTO v_line;
    IF NOT FOUND THEN
        v_line := nextval('slashbatch.queue_next_line');
    END IF;
    INSERT INTO slashbatch.queue_list (id, line, lane, owner, cap, place, head, head_total, next, next_total)
    VALUES (v_tick, v_line, p_lane, p_owner, p_cap, v_tick, 4294967296, 0, 4294967296, 0)
    ON CONFLICT (lane, sha256(owner)) DO NOTHING;
    IF NOT FOUND THEN
        INSERT INTO slashbatch.queue_line (line) VALUES (v_line);
    END IF;
END $$;

-- Removes a list if it has no work left; p_list is the locked row.
CREATE FUNCTION slashbatch.queue_close(p_list slashbatch.queue_list) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_list.pending + p_list.running + p_list.delayed > 0 THEN
        RETURN;
    END IF;
    DELETE FROM slashbatch.queue_list l WHERE l.id = p_list.id;
    INSERT INTO slashbatch.queue_line (line) VALUES (p_list.line);
    IF p_list.holes > 0 THEN -- for Sweep: they may be many
        INSERT INTO slashbatch.queue_stray (list) VALUES (p_list.id);
    END IF;
END $$;

-- Locks the list of a user, which is made if there is none.
CREATE FUNCTION slashbatch.queue_hold(p_lane text, p_owner bytea, p_cap integer) RETURNS slashbatch.queue_list
LANGUAGE plpgsql AS $$
DECLARE
    v_list slashbatch.queue_list;
BEGIN
    LOOP
        SELECT * INTO v_list FROM slashbatch.queue_list l
        WHERE l.lane = p_lane AND sha256(l.owner) = sha256(p_owner) FOR UPDATE;
        IF FOUND THEN
            RETURN v_list;
        END IF;
        PERFORM slashbatch.queue_open(p_lane, p_owner, p_cap);
    END LOOP;
END $$;

-- Takes a pending job that stands in a list, or waits for a retry, out of it; its
-- row is the caller's to change. The list keeps its place in line, or is removed
-- when it has no work left. Returns whether the list may now start a job that it
-- could not start before. O(1), or O(levels) in the middle.
CREATE FUNCTION slashbatch.queue_take_out(p_job slashbatch.queue_job) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    v_old slashbatch.queue_list;
    v_new slashbatch.queue_list;
BEGIN
    SELECT * INTO v_old FROM slashbatch.queue_list l WHERE l.id = p_job.list FOR UPDATE;
    IF p_job.number IS NULL THEN
        UPDATE slashbatch.queue_list l SET delayed = l.delayed - 1 WHERE l.id = v_old.id RETURNING * INTO v_new;
    ELSIF p_job.number = v_old.head THEN
        UPDATE slashbatch.queue_list l
        SET pending = l.pending - 1, estimates = l.estimates - p_job.estimate,
            head = coalesce(h.number, l.next), head_total = coalesce(h.total, l.next_total), gate = coalesce(h.gate, 0)
        FROM (SELECT) one LEFT JOIN slashbatch.queue_head(v_old.id, p_job.number + 1) h ON true
        WHERE l.id = v_old.id RETURNING l.* INTO v_new;
        IF v_new.holes > 0 THEN
            PERFORM slashbatch.queue_fill(v_new.id, 0, v_new.head, 8);
        END IF;
    ELSIF p_job.number = v_old.next - 1 THEN
        UPDATE slashbatch.queue_list l
        SET pending = l.pending - 1, estimates = l.estimates - p_job.estimate, next = p_job.number, next_total = p_job.total
        WHERE l.id = v_old.id RETURNING * INTO v_new;
    ELSE
        PERFORM slashbatch.queue_dig(v_old.id, p_job.number, p_job.estimate);
        UPDATE slashbatch.queue_list l
        SET pending = l.pending - 1, estimates = l.estimates - p_job.estimate, holes = l.holes + 1
        WHERE l.id = v_old.id RETURNING * INTO v_new;
    END IF;
    PERFORM slashbatch.queue_close(v_new);
    RETURN v_new.ready AND v_new.gate <> v_old.gate;
END $$;

-- Moves a pending job, whose row and whose lists the caller has locked, to the end
-- of another list of its lane, with the running cap of the waiter it goes to. One
-- that waits for a retry goes on waiting there. Cost as queue_take_out.
CREATE FUNCTION slashbatch.queue_move(p_job slashbatch.queue_job, p_to bigint, p_owner bytea, p_cap integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_list slashbatch.queue_list;
BEGIN
    PERFORM slashbatch.queue_take_out(p_job);
    IF p_job.number IS NULL THEN
        UPDATE slashbatch.queue_list l SET cap = p_cap, delayed = l.delayed + 1 WHERE l.id = p_to;
        UPDATE slashbatch.queue_job j SET owner = p_owner, list = p_to WHERE j.id = p_job.id;
        RETURN;
    END IF;
    UPDATE slashbatch.queue_list l
    SET cap = p_cap, pending = l.pending + 1, estimates = l.estimates + p_job.estimate,
        next = l.next + 1, next_total = l.next_total + p_job.estimate,
        gate = CASE WHEN l.pending = 0 THEN slashbatch.queue_gate(p_job.source) ELSE l.gate END
    WHERE l.id = p_to RETURNING * INTO v_list;
    UPDATE slashbatch.queue_job j
    SET owner = p_owner, list = p_to, number = v_list.next - 1, total = v_list.next_total - p_job.estimate
    WHERE j.id = p_job.id;
END $$;
