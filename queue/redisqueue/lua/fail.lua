#!lua flags=allow-oom
-- Fail: ends an attempt in error. The job is failed, or when it may be tried
-- again goes back to the head of its list, at once or by a Sweep after a while.
--
-- ARGV  1 id  2 claim  3 reason  4 "1" if it may be tried again else "0"
--       5 not sooner than after this (ms)  6 "1" if an outcome is given else "0"
--       7 outcome  8 lease (ms)  9 retention (ms)
-- Returns {"ok", "pending" | "failed"}, the same again to the same claim, or
--         {"lost", state}.
-- Cost  O(log lists + log sources + log running + log delayed).

local id, claim, after = ARGV[1], ARGV[2], tonumber(ARGV[5])
lease, retention = tonumber(ARGV[8]), tonumber(ARGV[9])
local f = call('HMGET', job_key(id), 'list', 'status', 'order', 'claim')
if f[2] == 'running' and holds(id, claim) then
  local o = parse_order(f[3])
  call('HSET', job_key(id), 'error', ARGV[3])
  if ARGV[6] == '1' then
    call('HSET', job_key(id), 'outcome', ARGV[7])
  else
    call('HDEL', job_key(id), 'outcome')
  end
  local failures = call('HINCRBY', job_key(id), 'failures', 1)
  if ARGV[4] == '1' and failures <= o.retry then
    put_back(load(f[1]), id, o, claim, 'retried', after > 0 and clock() + after)
    return {'ok', 'pending'}
  end
  finalise(id, 'failed')
  conclude(load(f[1]), id, o, claim, 'failed')
  return {'ok', 'failed'}
end
if spent(id, claim) == 'retried' then return {'ok', 'pending'} end
if f[2] == 'failed' and f[4] == claim then return {'ok', 'failed'} end
return lost(id)
