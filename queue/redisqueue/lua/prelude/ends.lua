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

-- held_up tells whether a list's cap keeps a job of it waiting.
local function held_up(l) return l.running >= l.cap and l.pending > 0 end

-- put_back makes a running job pending again: at the head of its list, or outside
-- of it until a retry is due. The list keeps its place in line.
local function put_back(l, id, o, claim, how, due)
  local told = not due or held_up(l)
  call('HSET', job_key(id), 'status', 'pending')
  call('HDEL', job_key(id), 'claim', 'started', 'sealed')
  if due then
    call('HSET', job_key(id), 'due', due)
    call('ZADD', DELAYED, due, id)
    l.delayed = l.delayed + 1
  else
    give_back(l, id, o)
  end
  let_go(l, id, o, claim, how)
  tick()
  save(l)
  announce(id, 'pending')
  if told then wake(l.list) end
end

-- conclude ends the claim of a final job; its list goes to the end of the line.
-- A worker that finishes a job claims the next one itself. Others are told when
-- nobody is there to do so, and when the list was held up by its cap, for then
-- they may have looked in vain.
local function conclude(l, id, o, claim, how)
  local told = how == 'released' or how == 'lost' or held_up(l)
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

-- cancel ends a job for everybody unless it is too late: "removed", "stopping"
-- or "late". The claim of a running one stays, and with it what it takes.
local function cancel(j)
  if j.state == 'pending' then
    local l = load(j.list)
    if j.due then undelay(l, j.id) else take_out(l, j.id, j.o) end
    tick()
    save(l)
    finalise(j.id, 'cancelled')
    expire(j.id, j.o)
    return 'removed'
  end
  if j.state == 'running' and not j.sealed then
    tick()
    finalise(j.id, 'cancelled')
    return 'stopping'
  end
  return 'late'
end
