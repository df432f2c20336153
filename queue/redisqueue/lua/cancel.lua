#!lua flags=allow-oom
-- Cancel: ends a job for everybody.
--
-- ARGV  1 id  2 retention (ms)
-- Returns {"removed" | "stopping" | "late", view}, or false when there is none.
-- Cost  O(log lists), and for a pending job O(jobs to the nearer end of its list).

retention = tonumber(ARGV[2])
local f = call('HMGET', job_key(ARGV[1]), 'list', 'status', 'sealed', 'order')
if not f[1] then return false end
return {cancel(ARGV[1], f[1], f[2], f[3], f[4]), view(ARGV[1])}
