-- Histories ----------------------------------------------------------------

-- clear takes a job whose record is gone out of a history.
local function clear(mine, id)
  if id and call('EXISTS', job_key(id)) == 0 then return call('ZREM', mine, id) == 1 end
end

-- remember puts a job into a user's history, which keeps little more than the
-- records still there: each new entry clears away up to two that are gone, the
-- oldest first or, behind an old job that is still there, any. A history itself
-- never expires, since a job of it may outlive any time: Sweep looks through it.
local function remember(user, seq, id)
  local mine = mine_key(user)
  local old = call('ZRANGE', mine, 0, 1)
  if not old[1] then
    call('ZADD', HISTORIES, clock() + retention, user)
  else
    clear(mine, clear(mine, old[1]) and old[2] or call('ZRANDMEMBER', mine))
  end
  call('ZADD', mine, seq, id)
end

-- Waiters ------------------------------------------------------------------

-- A job without a hash of waiters has one: the owner of its list. An entry is
-- "joined cap": a number that grows with every joining, and the cap on running
-- jobs for the waiter's list should the job come there.
local function parse_waiter(s)
  local joined, cap = string.match(s, '^(%S+) (%S+)$')
  return tonumber(joined), tonumber(cap)
end

local function format_waiter(joined, cap) return string.format('%.0f %.0f', joined, cap) end

local function waits(id, list, user)
  if call('EXISTS', waiters_key(id)) == 1 then
    return call('HEXISTS', waiters_key(id), user) == 1
  end
  return user_of(list) == user
end

-- wait makes a user a waiter of an active job.
local function wait(j, user, cap)
  local key, owner = waiters_key(j.id), user_of(j.list)
  if call('EXISTS', key) == 0 then
    if user == owner then
      if j.o.cap ~= cap then
        j.o.cap = cap
        call('HSET', job_key(j.id), 'order', format_order(j.o))
      end
      return
    end
    call('HSET', key, owner, format_waiter(j.o.seq, j.o.cap))
  end
  local known = call('HGET', key, user)
  local joined = known and parse_waiter(known)
  if not joined then remember(user, j.o.seq, j.id) end
  local entry = format_waiter(joined or tick(), cap)
  if entry ~= known then call('HSET', key, user, entry) end
end

-- work is how many jobs of a list are pending, also for a retry, or running.
local function work(l) return l and l.pending + l.delayed + l.running or 0 end

-- move takes a pending job out of its list and to the end of a waiter's; one that
-- waits for a retry goes on waiting, for that list. O(log lists + log sources),
-- and O(jobs between it and the nearer end of the list it leaves).
local function move(j, list, cap)
  local from = load(j.list)
  if j.due then from.delayed = from.delayed - 1 else take_out(from, j.id, j.o) end
  save(from)
  local place = tick()
  local to = load(list) or fresh(list, place)
  to.cap = cap
  if j.due then to.delayed = to.delayed + 1 else append(to, j.id, j.o) end
  save(to)
  call('HSET', job_key(j.id), 'list', list, 'order', format_order(j.o))
  announce(j.id, 'pending')
  if not j.due then wake(list) end
end

-- ask makes a user a waiter of an active job, who takes a pending one over when
-- it would be reached sooner at the end of the user's own list. O(log lists),
-- and when it is taken over as move.
local function ask(j, user, cap)
  wait(j, user, cap)
  if j.state ~= 'pending' or j.due or user_of(j.list) == user then return end
  local from, own = load(j.list), list_of(user, lane_of(j.list))
  if work(load(own)) < from.running + index(from, j.o) then move(j, own, cap) end
end
