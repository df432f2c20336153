#!lua
-- Join: makes a user a waiter of a job that is pending or running.
--
-- ARGV  1 id  2 user
-- Returns the view of the job, or false when there is none.
-- Cost  O(log holes).

local f = call('HMGET', job_key(ARGV[1]), 'list', 'status')
if f[2] == 'pending' or f[2] == 'running' then add_waiter(ARGV[1], f[1], ARGV[2]) end
return view(ARGV[1])
