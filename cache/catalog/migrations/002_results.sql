-- Results by their content, apart from the names that lead to them and from the
-- files they are stored as. What the first version has is carried over, with its
-- times of access.

CREATE TEMPORARY TABLE old_result ON COMMIT DROP AS
    SELECT r.*, coalesce(d.columns, '[]') AS columns, coalesce(d.blocks, '[]') AS blocks,
           CASE WHEN r.owner = 'shared' THEN r.owner ELSE 'user:' || r.owner END AS new_owner
    FROM slashbatch.result r LEFT JOIN slashbatch.detail d ON d.result = r.id;
CREATE TEMPORARY TABLE old_request ON COMMIT DROP AS SELECT * FROM slashbatch.request;
DROP TABLE slashbatch.request, slashbatch.detail, slashbatch.result;

-- A few facts about the whole. "catalog" is this catalogue's own name, which the
-- stores it uses are marked with.
CREATE TABLE slashbatch.setting (
    name    text PRIMARY KEY,
    value   text NOT NULL,
    changed timestamptz NOT NULL DEFAULT now()
);
INSERT INTO slashbatch.setting (name, value) VALUES ('catalog', gen_random_uuid());

-- Where files live. The URL is without credentials; '' is the one store of the
-- first version, whose URL was not noted.
CREATE TABLE slashbatch.store (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url    text NOT NULL UNIQUE,
    marked timestamptz  -- since when the store bears our marker
);

-- Rows, known by owner and content: digest is over the owner, the columns and the
-- SHA-256 of the plain csv, bytes its length.
CREATE TABLE slashbatch.result (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner    text NOT NULL,
    digest   bytea NOT NULL CHECK (octet_length(digest) = 32),
    bytes    bigint NOT NULL CHECK (bytes >= 0),
    rows     bigint NOT NULL CHECK (rows >= 0),
    columns  jsonb NOT NULL,
    created  timestamptz NOT NULL DEFAULT now(),
    -- The last time that a file of it was read, or a name of it came or was taken away.
    accessed timestamptz NOT NULL DEFAULT now(),
    UNIQUE (owner, digest, bytes)
);
CREATE INDEX result_created ON slashbatch.result (created, id);
CREATE INDEX result_accessed ON slashbatch.result (accessed, id);

-- A result as one file. ('csv', '') is the one that the run wrote; the others are
-- made from it and can be made again. stored and blocks are of the compressed form.
CREATE TABLE slashbatch.variant (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    result       bigint NOT NULL REFERENCES slashbatch.result,
    format       text NOT NULL,
    options      text NOT NULL,
    content_type text NOT NULL,
    gzipped      boolean NOT NULL,
    bytes        bigint NOT NULL CHECK (bytes >= 0),
    sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    stored       bigint NOT NULL CHECK (stored >= 0),
    blocks       jsonb NOT NULL,
    created      timestamptz NOT NULL DEFAULT now(),
    accessed     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (result, format, options)
);
CREATE INDEX variant_accessed ON slashbatch.variant (accessed, id);

-- Where a variant's file is. Object names sort by their bytes, as stores list them.
CREATE TABLE slashbatch.location (
    variant  bigint NOT NULL REFERENCES slashbatch.variant ON DELETE CASCADE,
    store    bigint NOT NULL REFERENCES slashbatch.store,
    object   text COLLATE "C" NOT NULL,
    -- copying: about to be written here; missing: it was live, and is not there.
    state    text NOT NULL CHECK (state IN ('copying', 'live', 'missing')),
    verified timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (variant, store),
    UNIQUE (store, object)
);
CREATE INDEX location_state ON slashbatch.location (store, state, variant);

-- Objects that nothing refers to any more: whoever deletes the rows that did puts
-- them here in the same transaction, and a sweeper takes them out of their store.
CREATE TABLE slashbatch.removal (
    store  bigint NOT NULL REFERENCES slashbatch.store ON DELETE CASCADE,
    object text COLLATE "C" NOT NULL,
    since  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store, object)
);

-- Which result answers a request key now.
CREATE TABLE slashbatch.request (
    key         text PRIMARY KEY CHECK (length(key) <= 200),
    result      bigint NOT NULL REFERENCES slashbatch.result,
    job         text NOT NULL,
    claim       text NOT NULL,
    endpoint    text NOT NULL,
    user_name   text NOT NULL,
    file_name   text NOT NULL,
    submitted   timestamptz NOT NULL,
    spec_digest text NOT NULL,
    generated   timestamptz NOT NULL,
    published   timestamptz NOT NULL DEFAULT now(),
    expires     timestamptz NOT NULL,
    accessed    timestamptz NOT NULL DEFAULT now(),
    -- unique_rows: they cannot be read again before the entry has expired.
    unique_rows boolean NOT NULL DEFAULT false,
    -- pinned: it answers its key whatever expires says, and nothing evicts it.
    pinned      boolean NOT NULL DEFAULT false
);
CREATE INDEX request_result ON slashbatch.request (result);
CREATE INDEX request_accessed ON slashbatch.request (accessed);

-- Public names. The token that drops one is kept as its digest.
CREATE TABLE slashbatch.alias (
    name      text PRIMARY KEY,
    result    bigint NOT NULL REFERENCES slashbatch.result,
    token     bytea NOT NULL CHECK (octet_length(token) = 32),
    owner     text NOT NULL,
    file_name text NOT NULL,
    generated timestamptz NOT NULL,
    created   timestamptz NOT NULL DEFAULT now(),
    expires   timestamptz NOT NULL
);
CREATE INDEX alias_result ON slashbatch.alias (result);
CREATE INDEX alias_expires ON slashbatch.alias (expires);

-- What each job has published, so that of several claims of one job only the first
-- to publish wins. It keeps nothing alive.
CREATE TABLE slashbatch.run (
    job       text PRIMARY KEY,
    claim     text NOT NULL,
    key       text NOT NULL,
    result    bigint NOT NULL REFERENCES slashbatch.result ON DELETE CASCADE,
    file_name text NOT NULL,
    generated timestamptz NOT NULL,
    created   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX run_result ON slashbatch.run (result);
CREATE INDEX run_created ON slashbatch.run (created);

-- Files that were asked for while the run they are made from was still to come.
-- user_name is the list of the queue that their jobs go into.
CREATE TABLE slashbatch.wish (
    key         text NOT NULL,
    format      text NOT NULL,
    options     text NOT NULL,
    user_name   text NOT NULL,
    running_cap integer NOT NULL,
    made        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key, format, options, user_name)
);

-- Work that one process of the fleet does at a time, and when it is due again.
CREATE TABLE slashbatch.chore (
    name   text PRIMARY KEY,
    due    timestamptz NOT NULL,
    worker text NOT NULL,
    report text NOT NULL DEFAULT ''
);

-- Copies of all files from one store to another, for people; how far one has come
-- is in the locations.
CREATE TABLE slashbatch.store_copy (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source       bigint NOT NULL REFERENCES slashbatch.store ON DELETE CASCADE,
    target       bigint NOT NULL REFERENCES slashbatch.store ON DELETE CASCADE,
    started      timestamptz NOT NULL DEFAULT now(),
    finished     timestamptz,
    CHECK (source <> target)
);

-- The digest of the first version's results is told from those of later runs: the
-- same rows are then stored once more, and not taken for others.
INSERT INTO slashbatch.store (url) SELECT '' FROM pg_temp.old_result LIMIT 1;

CREATE TEMPORARY TABLE carried ON COMMIT DROP AS
    SELECT o.*, min(o.id) OVER same AS first
    FROM pg_temp.old_result o
    WINDOW same AS (PARTITION BY o.new_owner, o.sha256, o.bytes, o.columns);
ANALYZE pg_temp.carried;
ANALYZE pg_temp.old_request;

INSERT INTO slashbatch.result (id, owner, digest, bytes, rows, columns, created, accessed)
    OVERRIDING SYSTEM VALUE
    SELECT c.id, c.new_owner, sha256(convert_to('001 ' || c.sha256 || ' ' || c.columns::text, 'UTF8')), c.bytes, c.rows, c.columns, c.created,
           coalesce(a.accessed, c.created)
    FROM pg_temp.carried c
    LEFT JOIN (SELECT s.first, max(q.accessed) AS accessed
               FROM pg_temp.old_request q JOIN pg_temp.carried s ON s.id = q.result GROUP BY s.first) a ON a.first = c.id
    WHERE c.id = c.first;
SELECT setval(pg_get_serial_sequence('slashbatch.result', 'id'), greatest((SELECT max(id) FROM pg_temp.carried), 1));

INSERT INTO slashbatch.variant (result, format, options, content_type, gzipped, bytes, sha256, stored, blocks, created, accessed)
    SELECT r.id, 'csv', '', c.content_type, true, c.bytes, c.sha256, c.stored, c.blocks, c.created, r.accessed
    FROM pg_temp.carried c JOIN slashbatch.result r ON r.id = c.id;
INSERT INTO slashbatch.location (variant, store, object, state, verified)
    SELECT v.id, s.id, c.object, 'live', c.created
    FROM slashbatch.variant v JOIN pg_temp.carried c ON c.id = v.result, slashbatch.store s;
INSERT INTO slashbatch.removal (store, object)
    SELECT s.id, c.object FROM pg_temp.carried c, slashbatch.store s WHERE c.id <> c.first;
INSERT INTO slashbatch.request (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, published, expires, accessed, unique_rows)
    SELECT q.key, c.first, c.job, c.claim, c.endpoint, c.user_name, c.file_name, q.submitted, q.spec_digest, c.generated, q.published, q.expires, q.accessed, q.key LIKE 'sql:%'
    FROM pg_temp.old_request q JOIN pg_temp.carried c ON c.id = q.result;
INSERT INTO slashbatch.run (job, claim, key, result, file_name, generated, created)
    SELECT c.job, c.claim, coalesce(q.key, ''), c.first, c.file_name, c.generated, c.created
    FROM pg_temp.carried c LEFT JOIN pg_temp.old_request q ON q.result = c.id;

-- place makes an object the file of a result in one form, unless a live one is in
-- reach: then it returns false. The caller has changed the result's row in this
-- transaction, so nobody else places, and nobody evicts, at the same time.
-- p_stores are those in reach; the object is in the first, or where its draft was noted.
CREATE FUNCTION slashbatch.place(
    p_result bigint, p_format text, p_options text, p_content_type text, p_gzipped boolean, p_bytes bigint, p_sha256 text,
    p_stored bigint, p_blocks jsonb, p_object text, p_stores bigint[]
) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_variant bigint;
    v_same    boolean;
    v_store   bigint := coalesce(
        (SELECT d.store FROM slashbatch.draft d WHERE d.object = p_object AND d.store = ANY (p_stores) LIMIT 1), p_stores[1]);
BEGIN
    INSERT INTO slashbatch.variant (result, format, options, content_type, gzipped, bytes, sha256, stored, blocks)
        VALUES (p_result, p_format, p_options, p_content_type, p_gzipped, p_bytes, p_sha256, p_stored, p_blocks)
        ON CONFLICT (result, format, options) DO NOTHING
        RETURNING id INTO v_variant;
    IF v_variant IS NULL THEN
        SELECT id INTO v_variant FROM slashbatch.variant
            WHERE result = p_result AND format = p_format AND options = p_options FOR UPDATE;
        IF EXISTS (SELECT FROM slashbatch.location WHERE variant = v_variant AND state = 'live' AND store = ANY (p_stores)) THEN
            -- Of a call whose answer was lost it is the object itself.
            RETURN EXISTS (SELECT FROM slashbatch.location WHERE variant = v_variant AND store = v_store AND object = p_object);
        END IF;
        -- All locations of a variant hold the same bytes. Where the object was compressed as
        -- the others were, those that are live in other stores stay; else they go.
        SELECT stored = p_stored AND blocks = p_blocks AND sha256 = p_sha256 INTO v_same FROM slashbatch.variant WHERE id = v_variant;
        WITH gone AS (
            DELETE FROM slashbatch.location
                WHERE variant = v_variant AND NOT (v_same AND state = 'live' AND store <> ALL (p_stores))
                RETURNING store, object
        )
        INSERT INTO slashbatch.removal (store, object)
            SELECT store, object FROM gone WHERE store <> v_store OR object <> p_object ON CONFLICT DO NOTHING;
        UPDATE slashbatch.variant
            SET content_type = p_content_type, gzipped = p_gzipped, bytes = p_bytes, sha256 = p_sha256, stored = p_stored, blocks = p_blocks,
                created = now(), accessed = now()
            WHERE id = v_variant;
    END IF;
    INSERT INTO slashbatch.location (variant, store, object, state) VALUES (v_variant, v_store, p_object, 'live');
    RETURN true;
END $$;

-- publish records what a job has made: the result, by its content, the file, and the
-- answer to the key, unless a later submitted job has given that and it is still good
-- (the queue's clock may have stepped back). won is false when another claim of the job
-- has published; kept when the object is the result's file now. If it won, file_object is
-- that file, and file_stored its size.
CREATE FUNCTION slashbatch.publish(
    p_job text, p_claim text, p_key text, p_owner text, p_endpoint text, p_user text, p_file_name text,
    p_submitted timestamptz, p_spec_digest text, p_generated timestamptz, p_max_age interval, p_min_fresh interval, p_unique boolean, p_pinned boolean,
    p_digest bytea, p_rows bigint, p_columns jsonb, p_content_type text, p_bytes bigint, p_sha256 text, p_stored bigint, p_blocks jsonb,
    p_object text, p_stores bigint[],
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
        (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, expires, unique_rows, pinned)
        VALUES (p_key, result_id, p_job, p_claim, p_endpoint, p_user, p_file_name, p_submitted, p_spec_digest, p_generated,
                greatest(p_generated + p_max_age, now() + p_min_fresh), p_unique, p_pinned)
        ON CONFLICT (key) DO UPDATE
        SET result = excluded.result, job = excluded.job, claim = excluded.claim, endpoint = excluded.endpoint, user_name = excluded.user_name,
            file_name = excluded.file_name, submitted = excluded.submitted, spec_digest = excluded.spec_digest, generated = excluded.generated,
            published = now(), expires = excluded.expires, accessed = now(), unique_rows = excluded.unique_rows, pinned = excluded.pinned
        -- What was pinned goes only for something that is.
        WHERE NOT (q.pinned AND NOT excluded.pinned) AND (q.submitted <= excluded.submitted OR q.expires <= now())
           OR NOT EXISTS (SELECT FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id
                          WHERE v.result = q.result AND v.format = 'csv' AND v.options = '' AND l.state = 'live' AND l.store = ANY (p_stores));
END $$;

-- publish_variant records a further file of a result; false when there is one already,
-- NULL when the result is gone.
CREATE FUNCTION slashbatch.publish_variant(
    p_result bigint, p_format text, p_options text, p_content_type text, p_gzipped boolean, p_bytes bigint, p_sha256 text,
    p_stored bigint, p_blocks jsonb, p_object text, p_stores bigint[]
) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    UPDATE slashbatch.result SET accessed = clock_timestamp() WHERE id = p_result;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    RETURN slashbatch.place(p_result, p_format, p_options, p_content_type, p_gzipped, p_bytes, p_sha256, p_stored, p_blocks, p_object, p_stores);
END $$;
