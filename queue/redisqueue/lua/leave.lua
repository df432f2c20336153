#!lua flags=allow-oom
-- Leave: takes a user off a job's waiters; without any left it is cancelled.
-- Whoever waited to the end stays on record as a waiter. A pending job in the
-- list of the one who leaves goes to the list of the waiter with the least work
-- in its lane; among equals the one furthest ahead in line, then the first to join.
--
-- ARGV  1 id  2 user  3 retention (ms)
-- Returns {"wanted" | "removed" | "stopping" | "late", view}, or false when
--         there is no such job or the user does not wait for it.
-- Cost  as Cancel, and O(waiters) when the job goes to another list; then a
--       change, and unless it waits for a retry a wake, are published.

retention = tonumber(ARGV[3])
local id, user = ARGV[1], ARGV[2]

-- before tells whether a waiter inherits rather than another.
local function before(a, b)
  if a.work ~= b.work then return a.work < b.work end
  if a.place ~= b.place then return a.place < b.place end
  return a.joined < b.joined
end

local function heir(lane)
  local best
  local waiters = call('HGETALL', waiters_key(id))
  for i = 1, #waiters, 2 do
    local w = {list = list_of(waiters[i], lane)}
    w.joined, w.cap = parse_waiter(waiters[i + 1])
    local l = load(w.list)
    w.work, w.place = work(l), l and l.place or math.huge
    if not best or before(w, best) then best = w end
  end
  return best
end

local j = find(id)
if not j or not waits(id, j.list, user) then return false end
local active = (j.state == 'pending' or j.state == 'running') and not j.sealed
if not active or call('HLEN', waiters_key(id)) < 2 then return {cancel(j), view(id)} end

call('HDEL', waiters_key(id), user)
call('ZREM', mine_key(user), id)
if j.state == 'pending' and user_of(j.list) == user then
  local w = heir(lane_of(j.list))
  move(j, w.list, w.cap)
end
return {'wanted', view(id)}
