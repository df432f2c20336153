#!lua flags=allow-oom
-- Finish: ends a running job as done.
--
-- ARGV  1 id  2 claim  3 "1" if an outcome is given else "0"  4 outcome
--       5 "1" to learn how long it took else "0"  6 lease (ms)  7 retention (ms)
-- Returns {"ok"}, also when this claim has done so before, or {"lost", state}.
-- Cost  O(log lists + log sources + log running).

local id, claim = ARGV[1], ARGV[2]
lease, retention = tonumber(ARGV[6]), tonumber(ARGV[7])

-- learn takes a time into the mean of a class, as queue.Learn does: the mean of
-- up to eight runs, then an eighth each; halves are rounded up.
local function learn(class, took)
  local runs, mean = string.match(call('HGET', ESTIMATES, class) or '0 0', '^(%S+) (%S+)$')
  runs, mean = runs + 1, tonumber(mean)
  mean = mean + (took - mean) / math.min(runs, 8)
  call('HSET', ESTIMATES, class, string.format('%.0f %.0f', runs, math.floor(math.max(mean, 0) + 0.5)))
end

local f = call('HMGET', job_key(id), 'list', 'status', 'order', 'claim', 'class', 'started')
if f[2] == 'running' and holds(id, claim) then
  if ARGV[3] == '1' then
    call('HSET', job_key(id), 'outcome', ARGV[4])
  else
    call('HDEL', job_key(id), 'outcome')
  end
  if ARGV[5] == '1' and f[5] then learn(f[5], clock() - f[6]) end
  finalise(id, 'done')
  conclude(load(f[1]), id, parse_order(f[3]), claim, 'done')
  return {'ok'}
end
if f[2] == 'done' and f[4] == claim then return {'ok'} end
return lost(id)
