#!lua flags=allow-oom
-- Leave: takes a user off a job's waiters; without any left it is cancelled.
-- Whoever waited to the end stays on record as a waiter.
--
-- ARGV  1 id  2 user  3 retention (ms)
-- Returns {"wanted" | "removed" | "stopping" | "late", view}, or false when
--         there is no such job or the user does not wait for it.
-- Cost  as Cancel.

retention = tonumber(ARGV[3])
local id, user = ARGV[1], ARGV[2]
local f = call('HMGET', job_key(id), 'list', 'status', 'sealed', 'order')
if not f[1] or not waits(id, f[1], user) then return false end
if (f[2] == 'pending' or f[2] == 'running') and not f[3] and call('SCARD', waiters_key(id)) > 1 then
  call('SREM', waiters_key(id), user)
  return {'wanted', view(id)}
end
return {cancel(id, f[1], f[2], f[3], f[4]), view(id)}
