#!lua flags=allow-oom
-- Sweep: recovers claims whose lease has run out and forgets dead workers.
-- Records, keys and ended claims expire by themselves.
--
-- When nobody has swept for half a lease, the server or the whole fleet was
-- away and nobody may have been there to beat: then all leases only begin anew.
-- The same when the clock has jumped, either way.
--
-- ARGV  1 lease (ms)  2 retention (ms)  3 crash limit  4 most claims to recover
-- Returns {recovered, failed, extended (1 or 0)}
-- Cost  O(claims recovered * log), or O(running) when leases are extended, and
--       O(workers).

lease, retention = tonumber(ARGV[1]), tonumber(ARGV[2])
local limit = tonumber(ARGV[3])
local now = clock()

local workers = call('HGETALL', WORKERS)
for i = 1, #workers, 2 do
  if tonumber(string.match(workers[i + 1], '^%S+')) <= now then
    call('HDEL', WORKERS, workers[i])
    tick()
  end
end

local last = tonumber(call('GET', SWEPT) or nil)
call('SET', SWEPT, now)
if not last or math.abs(now - last) > lease / 2 then
  for _, id in ipairs(call('ZRANGE', RUNNING, 0, -1)) do call('ZADD', RUNNING, now + lease, id) end
  return {0, 0, 1}
end

local dead = {}
for _, id in ipairs(call('ZRANGEBYSCORE', RUNNING, '-inf', now, 'LIMIT', 0, ARGV[4])) do
  local f = call('HMGET', job_key(id), 'list', 'status', 'order', 'claim')
  if f[1] then
    dead[#dead + 1] = {id = id, list = f[1], state = f[2], o = parse_order(f[3]), claim = f[4]}
  else
    call('ZREM', RUNNING, id) -- removed by hand
  end
end
-- The youngest first, for each goes to the head: so jobs of one list come to
-- stand in the order in which they were submitted.
table.sort(dead, function(a, b) return a.o.seq > b.o.seq end)

local recovered, failed = 0, 0
for _, d in ipairs(dead) do
  local l = load(d.list)
  if d.state ~= 'running' then
    conclude(l, d.id, d.o, d.claim, 'lost')
  else
    local crashes = call('HINCRBY', job_key(d.id), 'crashes', 1)
    if crashes < limit then
      put_back(l, d.id, d.o, d.claim, 'lost')
      recovered = recovered + 1
    else
      call('HSET', job_key(d.id), 'error', 'the worker was lost ' .. int(crashes) .. ' times')
      call('HDEL', job_key(d.id), 'claim') -- its holder did not fail it
      finalise(d.id, 'failed')
      conclude(l, d.id, d.o, d.claim, 'lost')
      wake(d.list)
      failed = failed + 1
    end
  end
end
return {recovered, failed, 0}
