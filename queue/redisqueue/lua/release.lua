#!lua flags=allow-oom
-- Release: gives a claim up. A running job goes back to the head of its list;
-- a cancelled one stops taking its place. Wakes workers either way, for the
-- one that releases may not claim again.
--
-- ARGV  1 id  2 claim  3 lease (ms)  4 retention (ms)
-- Returns {"ok"}, also when this claim has done so before, or {"lost", state}.
-- Cost  O(log lists + log sources + log running).

local id, claim = ARGV[1], ARGV[2]
lease, retention = tonumber(ARGV[3]), tonumber(ARGV[4])
local f = call('HMGET', job_key(id), 'list', 'status', 'order')
if f[1] and holds(id, claim) then
  if f[2] == 'running' then
    put_back(load(f[1]), id, parse_order(f[3]), claim, 'released')
  else
    conclude(load(f[1]), id, parse_order(f[3]), claim, 'released')
  end
  return {'ok'}
end
if spent(id, claim) == 'released' then return {'ok'} end
return lost(id)
