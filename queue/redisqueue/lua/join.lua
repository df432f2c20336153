#!lua
-- Join: makes a user a waiter of a job that is pending or running, who may take
-- it over.
--
-- ARGV  1 id  2 user  3 running cap of the user  4 retention (ms)
-- Returns the view of the job, or false when there is none.
-- Cost  O(log lists), and when the job is taken over O(jobs between it and the
--       nearer end of its list); then a wake and a change are published.

retention = tonumber(ARGV[4])
local j = find(ARGV[1])
if not j then return false end
if j.state == 'pending' or j.state == 'running' then ask(j, ARGV[2], tonumber(ARGV[3])) end
return view(j.id)
