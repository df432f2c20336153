-- Which results exist, which request each answers, and where its file is.
-- Timestamps are timestamptz throughout: no session's time zone matters.

-- One row per finished run. "job" is unique, so that of several claims of one
-- job only the first to publish wins.
CREATE TABLE slashbatch.result (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job          text NOT NULL UNIQUE,
    claim        text NOT NULL,
    owner        text NOT NULL,
    endpoint     text NOT NULL,
    user_name    text NOT NULL,
    object       text NOT NULL UNIQUE,
    stored       bigint NOT NULL CHECK (stored >= 0),
    rows         bigint NOT NULL CHECK (rows >= 0),
    bytes        bigint NOT NULL CHECK (bytes >= 0),
    sha256       text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    content_type text NOT NULL,
    file_name    text NOT NULL,
    generated    timestamptz NOT NULL,
    created      timestamptz NOT NULL DEFAULT now()
);

-- What only some readers of a result need: a large one has thousands of blocks.
CREATE TABLE slashbatch.detail (
    result  bigint PRIMARY KEY REFERENCES slashbatch.result,
    columns jsonb NOT NULL,
    blocks  jsonb NOT NULL
);

-- Which result answers a request key now.
CREATE TABLE slashbatch.request (
    key         text PRIMARY KEY CHECK (length(key) <= 200),
    result      bigint NOT NULL REFERENCES slashbatch.result,
    submitted   timestamptz NOT NULL,
    spec_digest text NOT NULL,
    published   timestamptz NOT NULL DEFAULT now(),
    expires     timestamptz NOT NULL,
    accessed    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX request_result ON slashbatch.request (result);
CREATE INDEX request_accessed ON slashbatch.request (accessed);
