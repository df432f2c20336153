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

-- load reads a list's record, nil when it has no work.
--   pending, running, cap   as in the contract; pending without the delayed ones
--   delayed                 jobs that wait for a retry, outside the list
--   place                   place in line
--   head, next              number of the head job, number the next new job gets
--   sum                     estimates of the pending jobs
--   from, upto              running totals of estimates at head and at next
--   slot                    where it is in the table
--   source                  of the head job
local function load(list)
  local s = call('HGET', INDEX, list)
  if not s then return nil end
  local pending, running, delayed, cap, place, head, next, sum, from, upto, slot, source =
    string.match(s, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  local l = {list = list, lane = lane_of(list), pending = tonumber(pending), running = tonumber(running),
    delayed = tonumber(delayed), cap = tonumber(cap), place = tonumber(place), head = tonumber(head),
    next = tonumber(next), sum = tonumber(sum), from = tonumber(from), upto = tonumber(upto),
    slot = tonumber(slot), source = source}
  l.ready, l.score = ready_in(l), score(l)
  return l
end

-- fresh is the record of a list that joins the line now.
local function fresh(list, place)
  local lane = lane_of(list)
  local slot = tonumber(call('RPOP', free_key(lane)) or call('STRLEN', table_key(lane)) / 24)
  return {list = list, lane = lane, pending = 0, running = 0, delayed = 0, cap = 1, place = place,
    head = BASE, next = BASE, sum = 0, from = 0, upto = 0, slot = slot, source = ''}
end

-- record writes a list's 24 bytes in the table.
local function record(l)
  call('SETRANGE', table_key(l.lane), l.slot * 24, struct.pack('<I4I4I8I8', l.pending, l.running, l.place, l.sum))
end

-- forget takes a list without work out of the index and frees its slot; when
-- all slots are free the table goes too.
local function forget(l)
  call('HDEL', INDEX, l.list)
  l.place = 0
  record(l)
  local free = call('LPUSH', free_key(l.lane), int(l.slot))
  if free * 24 == call('STRLEN', table_key(l.lane)) then
    call('DEL', free_key(l.lane), table_key(l.lane))
  end
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
  if l.pending == 0 and l.running == 0 and l.delayed == 0 then return forget(l) end
  call('HSET', INDEX, l.list, string.format('%.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f %.0f ', l.pending,
    l.running, l.delayed, l.cap, l.place, l.head, l.next, l.sum, l.from, l.upto, l.slot) .. l.source)
  record(l)
end
