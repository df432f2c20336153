#!lua flags=allow-oom
-- Beat: registers a worker and extends the leases of its claims.
--
-- ARGV  1 worker  2 slots ("sql=2 export=4"; "": take it out)  3 lease (ms)
--       then for each claim: job, claim, progress, "1" if steps follow else
--       "0", steps
-- Returns for each claim "ok", or the state of a job that is not its own any
--         more ("" when that is gone).
-- Cost  O(log running) for each claim.

local worker, slots = ARGV[1], ARGV[2]
local now = clock()
lease = tonumber(ARGV[3])

local known = call('HGET', WORKERS, worker)
if slots == '' then
  if known and call('HDEL', WORKERS, worker) == 1 then tick() end
else
  if not known or string.match(known, '^%S+ (.*)$') ~= slots then tick() end
  call('HSET', WORKERS, worker, int(now + lease) .. ' ' .. slots)
end

local answers = {}
for i = 4, #ARGV, 5 do
  local id, claim = ARGV[i], ARGV[i + 1]
  local state = call('HGET', job_key(id), 'status')
  if state == 'running' and holds(id, claim) then
    call('ZADD', RUNNING, now + lease, id)
    call('HSET', job_key(id), 'progress', ARGV[i + 2])
    if ARGV[i + 3] == '1' then call('HSET', job_key(id), 'steps', ARGV[i + 4]) end
    state = 'ok'
  end
  answers[#answers + 1] = state or ''
end
return answers
