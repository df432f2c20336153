#!lua flags=no-writes
-- Get: a job by its id.
--
-- ARGV  1 id
-- Returns the view of the job, or false when there is none.
-- Cost  O(log holes).

return view(ARGV[1])
