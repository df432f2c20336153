-- Further files of results by their last access: there are few of them among all
-- variants, and whoever looks for those that may go shall not read the others.
CREATE INDEX variant_further ON slashbatch.variant (accessed, id) WHERE format <> 'csv' OR options <> '';

-- Objects that are written and not published yet: the rows of a SQL job, which has further
-- steps to run, belong to nobody for as long as that takes.
CREATE TABLE slashbatch.draft (
    store  bigint NOT NULL REFERENCES slashbatch.store ON DELETE CASCADE,
    object text COLLATE "C" NOT NULL,
    made   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (store, object)
);
