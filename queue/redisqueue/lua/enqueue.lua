#!lua
-- Enqueue: makes a job or finds the one that stands for the key.
--
-- ARGV  1 id  2 list  3 kind  4 source  5 class  6 estimate (ms)  7 running cap
--       8 queued cap (0: none)  9 retry  10 key  11 digest of the key ("-": no key)
--       12 after  13 definition  14 layout version  15 retention (ms)
--       16 "1" if replicas are to confirm the answer else "0"
-- Returns {"new", order, created, standing, estimate}
--         {"job", "1" if this id was enqueued before, else "0", view}
--         {"full", pending}
--         {"layout", version found}
-- Cost  O(log lists); for an active job of somebody else's list that the user
--       takes over also O(jobs between it and the nearer end of that list). A
--       wake and a change are published for a new job and for one taken over.

local id, list, source, class, digest = ARGV[1], ARGV[2], ARGV[4], ARGV[5], ARGV[11]
local user, cap = user_of(list), tonumber(ARGV[7])
retention = tonumber(ARGV[15])

local layout = call('GET', LAYOUT)
if layout ~= ARGV[14] then
  if layout then return {'layout', layout} end
  call('SET', LAYOUT, ARGV[14]) -- the data was dropped under a running process
end

local again = call('EXISTS', job_key(id)) == 1 and id
local last = again or digest ~= '-' and call('GET', pointer_key(digest))
if last then
  -- rarely: find ask touch view
  local j = find(last)
  local active = j and (j.state == 'pending' or j.state == 'running')
  if active and not again then ask(j, user, cap) end
  if j and (again or active or last ~= ARGV[12]) then
    local v = view(last)
    if ARGV[16] == '1' then touch(last, v[1]) end
    return {'job', again and '1' or '0', v}
  end
end

local l = load(list)
local most = tonumber(ARGV[8])
local queued = l and l.pending + l.delayed or 0
if most > 0 and queued >= most then return {'full', queued} end

local now, seq = clock(), tick()
local learned = class ~= '' and call('HGET', ESTIMATES, class)
l = l or fresh(list, seq)
l.cap = cap
local o = {estimate = tonumber(learned and string.match(learned, '%S+$') or ARGV[6]), seq = seq,
  retry = tonumber(ARGV[9]), cap = cap, digest = digest, source = source}
append(l, id, o)
call('HSET', job_key(id), 'list', list, 'status', 'pending', 'kind', ARGV[3], 'key', ARGV[10],
  'order', format_order(o), 'created', now, 'definition', ARGV[13])
if class ~= '' then call('HSET', job_key(id), 'class', class) end
save(l)
if digest ~= '-' then call('SET', pointer_key(digest), id) end
remember(user, seq, id)

wake(list)
announce(id, 'pending')
return {'new', seq, now, standing(l, o), o.estimate}
