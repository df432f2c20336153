-- SetCapacities and SetPaused. Both hold the gate alone for a moment: so no claim is
-- in the middle of being made, and no list changes.

-- SetCapacities: replaces the capacities of all sources.
--
-- Arguments  sources and their capacities
-- Returns    whom to wake
-- Locks      the gate alone; nothing when the capacities are these already, as
--            when a process of a fleet starts again
-- Cost       O(lists + claims)
CREATE FUNCTION slashbatch.queue_capacities(p_sources bytea[], p_capacities integer[]) RETURNS bytea[]
LANGUAGE plpgsql AS $$
DECLARE
    v_wakes bytea[];
BEGIN
    PERFORM FROM unnest(p_sources, p_capacities) n (source, capacity)
    FULL JOIN slashbatch.queue_source s ON s.source = n.source
    WHERE s.capacity IS DISTINCT FROM n.capacity;
    IF NOT FOUND THEN
        RETURN '{}';
    END IF;
    PERFORM pg_advisory_xact_lock(1936482929, 1);
    DELETE FROM slashbatch.queue_source s WHERE s.source <> ALL (p_sources);
    INSERT INTO slashbatch.queue_source (gate, source, capacity, running)
    SELECT nextval('slashbatch.queue_next_gate'), n.source, n.capacity,
           (SELECT count(*) FROM slashbatch.queue_claim c WHERE c.source = n.source)
    FROM unnest(p_sources, p_capacities) n (source, capacity)
    ON CONFLICT (sha256(source)) DO UPDATE SET capacity = excluded.capacity;
    UPDATE slashbatch.queue_list l SET gate = h.gate
    FROM slashbatch.queue_list o CROSS JOIN LATERAL slashbatch.queue_head(o.id, o.head) h
    WHERE o.pending > 0 AND l.id = o.id AND l.gate <> h.gate;

    SELECT coalesce(array_agg(DISTINCT w.owner), '{}') INTO v_wakes
    FROM (SELECT 0 AS gate UNION ALL SELECT s.gate FROM slashbatch.queue_source s WHERE s.running < s.capacity) g
    CROSS JOIN unnest(slashbatch.queue_first(g.gate)) w (owner);
    RETURN v_wakes;
END $$;

-- SetPaused: stops or restarts the claiming of jobs.
--
-- Arguments  whether to stop
-- Returns    whom to wake: one for each lane that has something to claim, since
--            whoever hears it claims until nothing is left; also when nothing was
--            paused, for the answer may have been lost
-- Locks      the gate alone
-- Cost       O(sources + log lists)
CREATE FUNCTION slashbatch.queue_pause(p_paused boolean) RETURNS bytea[]
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1936482929, 1);
    UPDATE slashbatch.queue_meta m SET paused = p_paused WHERE m.paused <> p_paused;
    RETURN ARRAY(
        SELECT b.owner FROM (VALUES ('sql'), ('export')) n (lane)
        CROSS JOIN LATERAL (SELECT f.owner FROM slashbatch.queue_best(n.lane, 1) f LIMIT 1) b);
END $$;
