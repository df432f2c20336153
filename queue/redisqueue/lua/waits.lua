#!lua flags=no-writes
-- Waits: tells whether a user waits for a job, or did until it ended.
--
-- ARGV  1 id  2 user
-- Returns 1 or 0.
-- Cost  O(1).

local list = call('HGET', job_key(ARGV[1]), 'list')
return list and waits(ARGV[1], list, ARGV[2]) and 1 or 0
