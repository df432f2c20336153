#!lua
-- Enqueue: makes a job or finds the one that stands for the key.
--
-- ARGV  1 id  2 list  3 kind  4 source  5 estimate (ms)  6 running cap
--       7 queued cap (0: none)  8 retry  9 key  10 digest of the key ("-": no key)
--       11 after  12 definition  13 layout version
-- Returns {"new", order, created, standing}
--         {"job", "1" if this id was enqueued before, else "0", view}
--         {"full", pending}
--         {"layout", version found}
-- Cost  O(log lists); a wake and a change are published for a new job.

local id, list, source, digest = ARGV[1], ARGV[2], ARGV[4], ARGV[10]
local user = user_of(list)

local layout = call('GET', LAYOUT)
if layout ~= ARGV[13] then
  if layout then return {'layout', layout} end
  call('SET', LAYOUT, ARGV[13]) -- the data was dropped under a running process
end

local known = view(id)
if known then return {'job', '1', known} end

if digest ~= '-' then
  local last = call('GET', pointer_key(digest))
  local f = last and call('HMGET', job_key(last), 'list', 'status')
  if f and f[1] then
    local active = f[2] == 'pending' or f[2] == 'running'
    if active then add_waiter(last, f[1], user) end
    if active or last ~= ARGV[11] then return {'job', '0', view(last)} end
  end
end

local l = load(list)
local cap = tonumber(ARGV[7])
if cap > 0 and l and l.pending >= cap then return {'full', l.pending} end

local now, seq = clock(), tick()
l = l or fresh(list, seq)
l.cap = tonumber(ARGV[6])
local o = {estimate = tonumber(ARGV[5]), seq = seq, retry = tonumber(ARGV[8]), digest = digest, source = source}
append(l, id, o)
call('HSET', job_key(id), 'list', list, 'status', 'pending', 'kind', ARGV[3], 'key', ARGV[9],
  'order', format_order(o), 'created', now, 'definition', ARGV[12])
save(l)
if digest ~= '-' then call('SET', pointer_key(digest), id) end

-- The history keeps at most the records still there: for each new entry the two
-- oldest are looked at.
local mine = mine_key(user)
for _, old in ipairs(call('ZRANGE', mine, 0, 1)) do
  if call('EXISTS', job_key(old)) == 0 then call('ZREM', mine, old) end
end
call('ZADD', mine, seq, id)
call('PERSIST', mine)

wake(list)
announce(id, 'pending')
return {'new', seq, now, standing(l, o)}
