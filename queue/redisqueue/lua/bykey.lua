#!lua flags=no-writes
-- ByKey: the last job of a request key.
--
-- ARGV  1 digest of the key
-- Returns the view of the job, or false when there is none.
-- Cost  O(log holes).

local id = call('GET', pointer_key(ARGV[1]))
return id and view(id)
