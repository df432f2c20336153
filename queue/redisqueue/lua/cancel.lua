#!lua flags=allow-oom
-- Cancel: ends a job for everybody.
--
-- ARGV  1 id  2 retention (ms)
-- Returns {"removed" | "stopping" | "late", view}, or false when there is none.
-- Cost  O(log lists), and for a pending job O(jobs to the nearer end of its list).

retention = tonumber(ARGV[2])
local j = find(ARGV[1])
if not j then return false end
return {cancel(j), view(j.id)}
