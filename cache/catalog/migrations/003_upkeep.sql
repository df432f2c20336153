-- Further files of results by their last access: there are few of them among all
-- variants, and whoever looks for those that may go shall not read the others.
CREATE INDEX variant_further ON slashbatch.variant (accessed, id) WHERE format <> 'csv' OR options <> '';
