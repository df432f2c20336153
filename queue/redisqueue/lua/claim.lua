#!lua flags=allow-oom
-- Claim: takes the next job of a lane. It may run when memory is full, for
-- nothing else empties a queue.
--
-- ARGV  1 claim  2 lane  3 worker  4 lease (ms)  5 retention (ms)
-- Returns {view, definition}, or false when no list may start a job, the queue
--         is paused, or the claim has ended before.
-- Cost  O(log lists + log sources): the best source of those that are open, the
--       best list of those ready there, the job at its head. Lists at their cap
--       and sources at capacity are in neither set, so none is ever passed over.

local claim, lane = ARGV[1], ARGV[2]
lease, retention = tonumber(ARGV[4]), tonumber(ARGV[5])

local function claimed(id)
  return {view(id), call('HGET', job_key(id), 'definition')}
end

local run = call('HGET', RUNS, claim)
if run then
  call('HSET', RUNS, claim, run) -- for the reason that touch has
  return claimed(string.match(run, '^%S+'))
end
if call('EXISTS', spent_key(claim), PAUSED) > 0 then return false end

-- One round is all it takes, unless keys were removed by hand; then the sets
-- are put right on the way.
for _ = 1, 16 do
  local source = call('ZRANGE', open_key(lane), 0, 0)[1]
  if not source then return false end
  local list = call('ZRANGE', ready_key(lane, source), 0, 0)[1]
  local l = list and load(list)
  local id = l and call('RPOP', queue_key(list))
  local order = id and call('HGET', job_key(id), 'order')
  if order then
    local o, now = parse_order(order), clock()
    call('HSET', job_key(id), 'status', 'running', 'claim', claim, 'started', now)
    call('HINCRBY', job_key(id), 'attempt', 1)
    call('HDEL', job_key(id), 'sealed', 'progress', 'error')
    call('ZADD', RUNNING, now + lease, id)
    call('HSET', RUNS, claim, id .. ' ' .. int(now) .. ' ' .. int(o.estimate) .. ' ' .. list .. ' ' .. ARGV[3])
    l.pending, l.sum, l.running, l.place = l.pending - 1, l.sum - o.estimate, l.running + 1, tick()
    rehead(l)
    load_source(source, 1)
    save(l)
    announce(id, 'running')
    return claimed(id)
  elseif l then
    l.pending = call('LLEN', queue_key(list))
    if l.pending == 0 then l.sum = 0 end
    rehead(l)
    save(l)
  else
    if list then call('ZREM', ready_key(lane, source), list) end
    reopen(lane, source)
  end
end
return false
