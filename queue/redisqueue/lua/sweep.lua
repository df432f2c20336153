#!lua flags=allow-oom
-- Sweep: brings back jobs whose retry is due, recovers claims whose lease has run
-- out, and forgets dead workers and what is gone from the users' histories.
-- Records, keys and ended claims expire by themselves.
--
-- When nobody has swept for half a lease, the server or the whole fleet was
-- away and nobody may have been there to beat: then all leases only begin anew.
-- The same when the clock has jumped, either way.
--
-- ARGV  1 lease (ms)  2 retention (ms)  3 crash limit  4 most jobs to bring back,
--       claims to recover, and users to look after
-- Returns {recovered, failed, extended (1 or 0)}
-- Cost  O(what ARGV[4] bounds * log), or O(running) when leases are extended, and
--       O(workers).

lease, retention = tonumber(ARGV[1]), tonumber(ARGV[2])
local limit, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local now = clock()

-- youngest_first: each goes to the head, so that jobs of one list come to stand
-- in the order in which they were submitted.
local function youngest_first(jobs)
  table.sort(jobs, function(a, b) return a.o.seq > b.o.seq end)
  return jobs
end

local workers = call('HGETALL', WORKERS)
for i = 1, #workers, 2 do
  if tonumber(string.match(workers[i + 1], '^%S+')) <= now then
    call('HDEL', WORKERS, workers[i])
    tick()
  end
end

local due = {}
for _, id in ipairs(call('ZRANGEBYSCORE', DELAYED, '-inf', now, 'LIMIT', 0, most)) do
  local j = find(id)
  if j then
    due[#due + 1] = j
  else
    call('ZREM', DELAYED, id) -- removed by hand
  end
end
for _, j in ipairs(youngest_first(due)) do
  local l = load(j.list)
  undelay(l, j.id)
  give_back(l, j.id, j.o)
  tick()
  save(l)
  announce(j.id, 'pending')
  wake(j.list)
end

-- A history is looked through from its oldest entry, and again when that may
-- have gone: sooner when there was more to clear away than fits into one sweep.
local room = 4 * most
for _, user in ipairs(call('ZRANGEBYSCORE', HISTORIES, '-inf', now, 'LIMIT', 0, most)) do
  if room <= 0 then break end
  local mine, gone = mine_key(user), 0
  local entries = call('ZRANGE', mine, 0, math.min(room, most) - 1)
  for _, id in ipairs(entries) do
    if clear(mine, id) then gone = gone + 1 end
  end
  room = room - #entries - 1
  if call('EXISTS', mine) == 0 then
    call('ZREM', HISTORIES, user)
  else
    call('ZADD', HISTORIES, gone > 0 and now or now + retention, user)
  end
end

local last = tonumber(call('GET', SWEPT) or nil)
call('SET', SWEPT, now)
if not last or math.abs(now - last) > lease / 2 then
  for _, id in ipairs(call('ZRANGE', RUNNING, 0, -1)) do call('ZADD', RUNNING, now + lease, id) end
  return {0, 0, 1}
end

local dead = {}
for _, id in ipairs(call('ZRANGEBYSCORE', RUNNING, '-inf', now, 'LIMIT', 0, most)) do
  local f = call('HMGET', job_key(id), 'list', 'status', 'order', 'claim')
  if f[1] then
    dead[#dead + 1] = {id = id, list = f[1], state = f[2], o = parse_order(f[3]), claim = f[4]}
  else
    call('ZREM', RUNNING, id) -- removed by hand
  end
end

local recovered, failed = 0, 0
for _, d in ipairs(youngest_first(dead)) do
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
