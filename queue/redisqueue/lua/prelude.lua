-- Shared by all scripts. Go puts the definitions that a script needs between its
-- first line and the rest; to that end each begins with "local" at the start of
-- a line, and nothing else does.
--
-- KEYS[1] is always the queue's counter, "{prefix}:seq": it routes the call and
-- names the prefix. All other keys are computed here and nowhere else; keys.go
-- tells what they hold.
--
-- Numbers: ".." prints only 14 digits, so every number that goes into a string
-- is printed by "%.0f". A name that may hold a zero byte is joined by "..", since
-- "%s" would cut it there. Numbers given to redis.call print 17 digits and are
-- safe, since all of ours are whole and below 2^53.

local call = redis.call
local P = string.sub(KEYS[1], 1, -5)

local SEQ, LAYOUT = KEYS[1], P .. ':layout'
local INDEX, SOURCES = P .. ':index', P .. ':sources'
local RUNNING, RUNS = P .. ':running', P .. ':runs'
local WORKERS, SWEPT = P .. ':workers', P .. ':swept'
local USERS, CHANGES = P .. ':users', P .. ':changes' -- channels

local function job_key(id) return P .. ':jobs:' .. id end
local function queue_key(list) return P .. ':queue:' .. list end
local function holes_key(list) return P .. ':holes:' .. list end
local function gaps_key(list) return P .. ':gaps:' .. list end
local function waiters_key(id) return P .. ':waiters:' .. id end
local function mine_key(user) return P .. ':mine:' .. user end
local function pointer_key(digest) return P .. ':keys:' .. digest end
local function spent_key(claim) return P .. ':spent:' .. claim end
local function table_key(lane) return P .. ':table:' .. lane end
local function free_key(lane) return P .. ':free:' .. lane end
local function open_key(lane) return P .. ':open:' .. lane end
local function ready_key(lane, source) return P .. ':ready:' .. lane .. ':' .. source end

local LANES = {'sql', 'export'}
local BASE = 1048576            -- number of the first job of a list; room to give back below it
local LEVELS = 33               -- numbers stay below 2^33
local PLACES = 2199023255552    -- 2^41: score = running * PLACES + place

-- Settings, in milliseconds; a script whose operation needs them sets them.
local lease, retention = 0, 0

local function int(n) return string.format('%.0f', n) end

-- clock is the server's time in milliseconds.
local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- tick counts a change of the queue and returns a number never used before.
local function tick() return call('INCR', SEQ) end

-- A list is named "alice" (lane sql) or "alice:export"; user names hold no ":".
local function user_of(list) return string.match(list, '^[^:]*') end
local function lane_of(list) return string.match(list, ':(.*)$') or 'sql' end
local function list_of(user, lane) return lane == 'sql' and user or user .. ':' .. lane end

local function announce(id, state) call('PUBLISH', CHANGES, id .. ' ' .. state) end
local function wake(list) call('PUBLISH', USERS, user_of(list)) end

-- parse_order unpacks a job's field "order".
local function parse_order(s)
  local number, total, estimate, seq, retry, digest, source =
    string.match(s, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  return {number = tonumber(number), total = tonumber(total), estimate = tonumber(estimate),
    seq = tonumber(seq), retry = tonumber(retry), digest = digest, source = source}
end

local function format_order(o)
  return string.format('%.0f %.0f %.0f %.0f %.0f ', o.number, o.total, o.estimate, o.seq, o.retry)
    .. o.digest .. ' ' .. o.source
end

-- Sources ------------------------------------------------------------------

local function full(source)
  local capacity = call('HGET', SOURCES, 'capacity:' .. source)
  if not capacity then return false end
  return tonumber(call('HGET', SOURCES, 'running:' .. source) or 0) >= tonumber(capacity)
end

-- reopen makes a source's entry in a lane's open set what it must be: the score
-- of its best ready list, or absent when there is none or the source is full.
-- Returns the best list when there is something to claim. O(log sources).
local function reopen(lane, source)
  local best = call('ZRANGE', ready_key(lane, source), 0, 0, 'WITHSCORES')
  if best[1] and not full(source) then
    call('ZADD', open_key(lane), best[2], source)
    return best[1]
  end
  call('ZREM', open_key(lane), source)
end

-- load_source counts n more running jobs of a source. When that fills the
-- source, it closes in all lanes; when that makes room, it opens, and workers
-- of every lane are told, since the one that made room serves only its own.
local function load_source(source, n)
  local running = call('HINCRBY', SOURCES, 'running:' .. source, n)
  if running <= 0 then call('HDEL', SOURCES, 'running:' .. source) end
  local capacity = tonumber(call('HGET', SOURCES, 'capacity:' .. source) or nil)
  if not capacity or (running >= capacity) == (running - n >= capacity) then return end
  for _, lane in ipairs(LANES) do
    local best = reopen(lane, source)
    if best and n < 0 then wake(best) end
  end
end

-- Lists --------------------------------------------------------------------

local function score(l) return l.running * PLACES + l.place end

-- ready_in is the source in whose ready set a list belongs, or nil.
local function ready_in(l)
  if l.pending > 0 and l.running < l.cap then return l.source end
end

-- load reads a list's record, nil when it has neither pending nor running jobs.
--   pending, running, cap   as in the contract
--   place                   place in line
--   head, next              number of the head job, number the next new job gets
--   sum                     estimates of the pending jobs
--   from, upto              running totals of estimates at head and at next
--   slot                    where it is in the table
--   source                  of the head job
local function load(list)
  local s = call('HGET', INDEX, list)
  if not s then return nil end
  local pending, running, cap, place, head, next, sum, from, upto, slot, source =
    string.match(s, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  local l = {list = list, lane = lane_of(list), pending = tonumber(pending), running = tonumber(running),
    cap = tonumber(cap), place = tonumber(place), head = tonumber(head), next = tonumber(next),
    sum = tonumber(sum), from = tonumber(from), upto = tonumber(upto), slot = tonumber(slot), source = source}
  l.ready, l.score = ready_in(l), score(l)
  return l
end

-- fresh is the record of a list that joins the line now.
local function fresh(list, place)
  local lane = lane_of(list)
  local slot = tonumber(call('RPOP', free_key(lane)) or call('STRLEN', table_key(lane)) / 24)
  return {list = list, lane = lane, pending = 0, running = 0, cap = 1, place = place, head = BASE, next = BASE,
    sum = 0, from = 0, upto = 0, slot = slot, source = ''}
end

-- record writes a list's 24 bytes in the table.
local function record(l)
  call('SETRANGE', table_key(l.lane), l.slot * 24, struct.pack('<I4I4I8I8', l.pending, l.running, l.place, l.sum))
end

-- forget takes a list without work out of the index and frees its slot; when
-- all slots are free the table goes too. The user's history then lives only as
-- long as the user's last record can.
local function forget(l)
  call('HDEL', INDEX, l.list)
  l.place = 0
  record(l)
  local free = call('LPUSH', free_key(l.lane), int(l.slot))
  if free * 24 == call('STRLEN', table_key(l.lane)) then
    call('DEL', free_key(l.lane), table_key(l.lane))
  end
  local user = user_of(l.list)
  for _, lane in ipairs(LANES) do
    if call('HEXISTS', INDEX, list_of(user, lane)) == 1 then return end
  end
  call('PEXPIRE', mine_key(user), retention)
end

-- save writes a record back and puts the list where it now belongs.
-- O(log lists + log sources).
local function save(l)
  local source, now = ready_in(l), score(l)
  if l.ready and l.ready ~= source then
    call('ZREM', ready_key(l.lane, l.ready), l.list)
    reopen(l.lane, l.ready)
  end
  if source and (l.ready ~= source or l.score ~= now) then
    call('ZADD', ready_key(l.lane, source), now, l.list)
    reopen(l.lane, source)
  end
  l.ready, l.score = source, now
  if l.pending == 0 and l.running == 0 then return forget(l) end
  call('HSET', INDEX, l.list, string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f ', l.pending, l.running,
    l.cap, l.place, l.head, l.next, l.sum, l.from, l.upto, l.slot) .. l.source)
  record(l)
end

-- Holes --------------------------------------------------------------------
--
-- Jobs of a list are numbered without gaps, so that a job's index is its number
-- less that of the head. A job cancelled out of the middle leaves a hole. How
-- many lie ahead of a number is a ZCOUNT; the sum of their estimates comes from
-- a binary tree over the numbers: field "level:block" holds the sum over the
-- 2^level numbers from block * 2^level on, for even blocks only, which is all
-- that a sum over "everything below n" reads.

local function add_gap(list, number, estimate)
  if estimate == 0 then return end
  local key, block = gaps_key(list), number
  for level = 0, LEVELS - 1 do
    if block % 2 == 0 then
      local field = level .. ':' .. int(block)
      if call('HINCRBY', key, field, estimate) == 0 then call('HDEL', key, field) end
    end
    block = math.floor(block / 2)
  end
end

-- gaps_below is the sum of the estimates of all holes below a number.
local function gaps_below(list, number)
  local fields, block = {}, number
  for level = 0, LEVELS - 1 do
    if block % 2 == 1 then fields[#fields + 1] = level .. ':' .. int(block - 1) end
    block = math.floor(block / 2)
  end
  if #fields == 0 then return 0 end
  local sum = 0
  for _, v in ipairs(call('HMGET', gaps_key(list), unpack(fields))) do sum = sum + tonumber(v or 0) end
  return sum
end

-- fill removes up to n holes with numbers from low to high (score syntax).
local function fill(list, low, high, n)
  for _, hole in ipairs(call('ZRANGEBYSCORE', holes_key(list), low, high, 'LIMIT', 0, n)) do
    local number, estimate = string.match(hole, '^(%S+) (%S+)$')
    call('ZREM', holes_key(list), hole)
    add_gap(list, tonumber(number), -tonumber(estimate))
  end
end

-- rehead reads the head of a list again after it has changed. Holes it has
-- passed are removed a few at a time: below the head they do no harm.
local function rehead(l)
  local id = l.pending > 0 and call('LINDEX', queue_key(l.list), -1)
  local order = id and call('HGET', job_key(id), 'order')
  if not order then
    l.head, l.from, l.source = l.next, l.upto, ''
    call('UNLINK', holes_key(l.list), gaps_key(l.list))
    return
  end
  local o = parse_order(order)
  l.head, l.from, l.source = o.number, o.total, o.source
  if call('EXISTS', holes_key(l.list)) == 1 then fill(l.list, '-inf', '(' .. int(l.head), 16) end
end

-- Jobs in a list -----------------------------------------------------------

-- append puts a new job at the end of its list and numbers it. O(1).
local function append(l, id, o)
  o.number, o.total = l.next, l.upto
  l.next, l.upto = l.next + 1, l.upto + o.estimate
  if l.pending == 0 then l.source = o.source end
  l.pending, l.sum = l.pending + 1, l.sum + o.estimate
  call('LPUSH', queue_key(l.list), id)
end

-- give_back puts a job at the head of its list. O(log holes).
local function give_back(l, id, o)
  l.head, l.from, l.source = l.head - 1, l.from - o.estimate, o.source
  l.pending, l.sum = l.pending + 1, l.sum + o.estimate
  o.number, o.total = l.head, l.from
  -- A stale hole with this number would now count.
  fill(l.list, int(o.number), int(o.number), 1)
  call('RPUSH', queue_key(l.list), id)
  call('HSET', job_key(id), 'order', format_order(o))
end

-- take_out removes a pending job from anywhere in its list. O(jobs between it
-- and the nearer end), which Redis does at 60 million a second.
local function take_out(l, id, o)
  local ahead, behind = o.number - l.head, l.next - 1 - o.number
  call('LREM', queue_key(l.list), ahead <= behind and -1 or 1, id)
  l.pending, l.sum = l.pending - 1, l.sum - o.estimate
  if ahead == 0 then
    rehead(l)
  elseif behind == 0 then
    l.next, l.upto = o.number, o.total
  else
    call('ZADD', holes_key(l.list), o.number, int(o.number) .. ' ' .. int(o.estimate))
    add_gap(l.list, o.number, o.estimate)
  end
end

-- standing is "index ahead running place slot" of a pending job. O(log holes).
local function standing(l, o)
  local index, ahead = o.number - l.head, o.total - l.from
  if index > 0 and l.next - l.head ~= l.pending then
    index = index - call('ZCOUNT', holes_key(l.list), l.head, '(' .. int(o.number))
    ahead = ahead - gaps_below(l.list, o.number) + gaps_below(l.list, l.head)
  end
  return string.format('%.0f %.0f %.0f %.0f %.0f', index, ahead, l.running, l.place, l.slot)
end

-- view is a job as decode.go reads it: the fields without the definition, then
-- the standing, then the id; false when there is no such job.
local function view(id)
  local v = call('HMGET', job_key(id), 'list', 'status', 'kind', 'key', 'order', 'created', 'attempt', 'started',
    'crashes', 'failures', 'sealed', 'ended', 'error', 'progress', 'steps', 'outcome')
  if not v[1] then return false end
  local l = v[2] == 'pending' and load(v[1])
  v[17] = l and standing(l, parse_order(v[5])) or false
  v[18] = id
  return v
end

-- Ends ---------------------------------------------------------------------

-- expire starts the retention of a final job that takes no place any more. The
-- key's pointer goes with it, unless a newer job has taken it.
local function expire(id, o)
  call('PEXPIRE', job_key(id), retention)
  call('PEXPIRE', waiters_key(id), retention)
  if o.digest ~= '-' and call('GET', pointer_key(o.digest)) == id then
    call('PEXPIRE', pointer_key(o.digest), retention)
  end
end

local function finalise(id, state)
  call('HSET', job_key(id), 'status', state, 'ended', clock())
  announce(id, state)
end

-- let_go ends a claim: frees its place under cap and capacity, and remembers
-- for one lease how it ended ("done", "failed", "retried", "released", "lost").
-- The caller saves the list.
local function let_go(l, id, o, claim, how)
  call('ZREM', RUNNING, id)
  call('HDEL', RUNS, claim)
  call('SET', spent_key(claim), how .. ' ' .. id, 'PX', lease)
  l.running = l.running - 1
  load_source(o.source, -1)
end

-- put_back makes a running job pending again, at the head of its list, which
-- keeps its place in line.
local function put_back(l, id, o, claim, how)
  give_back(l, id, o)
  call('HSET', job_key(id), 'status', 'pending')
  call('HDEL', job_key(id), 'claim', 'started', 'sealed')
  let_go(l, id, o, claim, how)
  tick()
  save(l)
  announce(id, 'pending')
  wake(l.list)
end

-- conclude ends the claim of a final job; its list goes to the end of the line.
-- A worker that finishes a job claims the next one itself. Others are told when
-- nobody is there to do so, and when the list was held up by its cap, for then
-- they may have looked in vain.
local function conclude(l, id, o, claim, how)
  local told = how == 'released' or how == 'lost' or l.running >= l.cap and l.pending > 0
  let_go(l, id, o, claim, how)
  l.place = tick()
  save(l)
  expire(id, o)
  if told then wake(l.list) end
end

-- holds tells whether the claim takes a place for this job; it may be cancelled.
local function holds(id, claim)
  local run = call('HGET', RUNS, claim)
  return run and string.match(run, '^%S+') == id
end

-- spent tells how the claim on this job ended, if that is remembered.
local function spent(id, claim)
  local s = call('GET', spent_key(claim))
  local how, job = string.match(s or '', '^(%S+) (.*)$')
  return job == id and how
end

-- lost is the answer to a holder whose claim is not current: the job's state,
-- empty when it is gone.
local function lost(id) return {'lost', call('HGET', job_key(id), 'status') or ''} end

-- Waiters ------------------------------------------------------------------

-- A job without a set of waiters has one: the owner of its list.
local function waits(id, list, user)
  if call('EXISTS', waiters_key(id)) == 1 then
    return call('SISMEMBER', waiters_key(id), user) == 1
  end
  return user_of(list) == user
end

local function add_waiter(id, list, user)
  if waits(id, list, user) then return end
  if call('EXISTS', waiters_key(id)) == 0 then call('SADD', waiters_key(id), user_of(list)) end
  call('SADD', waiters_key(id), user)
end

-- cancel ends a job for everybody unless it is too late: "removed", "stopping"
-- or "late". The claim of a running one stays, and with it what it takes.
local function cancel(id, list, state, sealed, order)
  if state == 'pending' then
    local l, o = load(list), parse_order(order)
    take_out(l, id, o)
    tick()
    save(l)
    finalise(id, 'cancelled')
    expire(id, o)
    return 'removed'
  end
  if state == 'running' and not sealed then
    tick()
    finalise(id, 'cancelled')
    return 'stopping'
  end
  return 'late'
end
