#!lua flags=allow-oom
-- Finish: ends a running job as done.
--
-- ARGV  1 id  2 claim  3 "1" if an outcome is given else "0"  4 outcome
--       5 lease (ms)  6 retention (ms)
-- Returns {"ok"}, also when this claim has done so before, or {"lost", state}.
-- Cost  O(log lists + log sources + log running).

local id, claim = ARGV[1], ARGV[2]
lease, retention = tonumber(ARGV[5]), tonumber(ARGV[6])
local f = call('HMGET', job_key(id), 'list', 'status', 'order', 'claim')
if f[2] == 'running' and holds(id, claim) then
  if ARGV[3] == '1' then
    call('HSET', job_key(id), 'outcome', ARGV[4])
  else
    call('HDEL', job_key(id), 'outcome')
  end
  finalise(id, 'done')
  conclude(load(f[1]), id, parse_order(f[3]), claim, 'done')
  return {'ok'}
end
if f[2] == 'done' and f[4] == claim then return {'ok'} end
return lost(id)
