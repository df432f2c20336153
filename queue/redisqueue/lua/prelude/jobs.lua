-- Jobs ---------------------------------------------------------------------

-- standing is "index ahead running place slot" of a pending job. O(log holes).
local function standing(l, o)
  return string.format('%.0f %.0f %.0f %.0f %.0f', index(l, o), ahead(l, o), l.running, l.place, l.slot)
end

-- outside is the same of one that waits for a retry.
local function outside(l) return string.format('0 0 %.0f %.0f %.0f', l.running, l.place, l.slot) end

-- view is a job as decode.go reads it: the fields without the definition, then
-- the standing, then the id; false when there is no such job.
local function view(id)
  local v = call('HMGET', job_key(id), 'list', 'status', 'kind', 'key', 'order', 'created', 'attempt', 'started',
    'crashes', 'failures', 'sealed', 'ended', 'error', 'progress', 'steps', 'outcome', 'class', 'due')
  if not v[1] then return false end
  local l = v[2] == 'pending' and load(v[1])
  v[19] = l and (v[18] and outside(l) or standing(l, parse_order(v[5]))) or false
  v[20] = id
  return v
end

-- find reads what it takes to move a job, nil when there is no such job.
local function find(id)
  local f = call('HMGET', job_key(id), 'list', 'status', 'order', 'sealed', 'due')
  if not f[1] then return nil end
  return {id = id, list = f[1], state = f[2], o = parse_order(f[3]), sealed = f[4], due = f[5]}
end

-- touch writes what is there already. Since Redis 7.2 WAIT asks for confirmation
-- only up to the last write of its own connection: so an answer that tells of an
-- earlier write, perhaps by somebody else and not confirmed, comes with one too.
local function touch(id, list) call('HSET', job_key(id), 'list', list) end
