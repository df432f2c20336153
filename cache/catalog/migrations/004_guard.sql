-- What the guard of a request gave when the rows were read; NULL where none was asked. The
-- entry is good only while the guard still gives that.
ALTER TABLE slashbatch.request ADD COLUMN guard text;

-- One function of that name, and not two: a program of the version before, which calls it
-- without a guard during a rolling restart, finds this one.
DROP FUNCTION slashbatch.publish;

-- publish records what a job has made: the result, by its content, the file, and the
-- answer to the key, unless a later submitted job has given that and it is still good
-- (the queue's clock may have stepped back): neither expired, nor of another value of the
-- guard and read before these rows. won is false when another claim of the job
-- has published; kept when the object is the result's file now. If it won, file_object is
-- that file, and file_stored its size.
CREATE FUNCTION slashbatch.publish(
    p_job text, p_claim text, p_key text, p_owner text, p_endpoint text, p_user text, p_file_name text,
    p_submitted timestamptz, p_spec_digest text, p_generated timestamptz, p_max_age interval, p_min_fresh interval, p_unique boolean, p_pinned boolean,
    p_digest bytea, p_rows bigint, p_columns jsonb, p_content_type text, p_bytes bigint, p_sha256 text, p_stored bigint, p_blocks jsonb,
    p_object text, p_stores bigint[], p_guard text DEFAULT NULL,
    OUT won boolean, OUT kept boolean, OUT result_id bigint, OUT file_object text, OUT file_stored bigint
) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_claim text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('slashbatch ' || p_job, 0)); -- claims of one job, one after the other
    SELECT u.claim, u.result INTO v_claim, result_id FROM slashbatch.run u WHERE u.job = p_job;
    IF v_claim IS NOT NULL THEN
        won := v_claim = p_claim;
        kept := EXISTS (SELECT FROM slashbatch.location WHERE store = ANY (p_stores) AND object = p_object);
        SELECT l.object, v.stored INTO file_object, file_stored
            FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id
            WHERE v.result = result_id AND v.format = 'csv' AND v.options = '' AND l.state = 'live' AND l.store = ANY (p_stores);
        IF file_object IS NOT NULL THEN
            RETURN;
        END IF;
        DELETE FROM slashbatch.run WHERE job = p_job; -- its file has gone since: this one stands for it
    END IF;
    LOOP -- until it is there to be changed, or not there to be made
        UPDATE slashbatch.result SET accessed = clock_timestamp()
            WHERE owner = p_owner AND digest = p_digest AND bytes = p_bytes
            RETURNING id INTO result_id;
        EXIT WHEN result_id IS NOT NULL;
        INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns)
            VALUES (p_owner, p_digest, p_bytes, p_rows, p_columns)
            ON CONFLICT (owner, digest, bytes) DO NOTHING
            RETURNING id INTO result_id;
        EXIT WHEN result_id IS NOT NULL;
    END LOOP;
    won := true;
    LOOP -- until there is a live file: the one that was may be found missing meanwhile
        kept := slashbatch.place(result_id, 'csv', '', p_content_type, true, p_bytes, p_sha256, p_stored, p_blocks, p_object, p_stores);
        SELECT l.object, v.stored INTO file_object, file_stored
            FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id
            WHERE v.result = result_id AND v.format = 'csv' AND v.options = '' AND l.state = 'live' AND l.store = ANY (p_stores);
        EXIT WHEN file_object IS NOT NULL;
    END LOOP;
    INSERT INTO slashbatch.run (job, claim, key, result, file_name, generated)
        VALUES (p_job, p_claim, p_key, result_id, p_file_name, p_generated);
    INSERT INTO slashbatch.request AS q
        (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, expires, unique_rows, pinned, guard)
        VALUES (p_key, result_id, p_job, p_claim, p_endpoint, p_user, p_file_name, p_submitted, p_spec_digest, p_generated,
                greatest(p_generated + p_max_age, now() + p_min_fresh), p_unique, p_pinned, p_guard)
        ON CONFLICT (key) DO UPDATE
        SET result = excluded.result, job = excluded.job, claim = excluded.claim, endpoint = excluded.endpoint, user_name = excluded.user_name,
            file_name = excluded.file_name, submitted = excluded.submitted, spec_digest = excluded.spec_digest, generated = excluded.generated,
            published = now(), expires = excluded.expires, accessed = now(), unique_rows = excluded.unique_rows, pinned = excluded.pinned,
            guard = excluded.guard
        -- What was pinned goes only for something that is.
        WHERE NOT (q.pinned AND NOT excluded.pinned) AND (q.submitted <= excluded.submitted OR q.expires <= now()
                                                        OR q.guard IS DISTINCT FROM excluded.guard AND q.generated < excluded.generated)
           OR NOT EXISTS (SELECT FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id
                          WHERE v.result = q.result AND v.format = 'csv' AND v.options = '' AND l.state = 'live' AND l.store = ANY (p_stores));
END $$;
