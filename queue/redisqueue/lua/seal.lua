#!lua flags=allow-oom
-- Seal: the holder is about to publish; from here on cancel comes too late.
--
-- ARGV  1 id  2 claim
-- Returns {"ok"} or {"lost", state}.
-- Cost  O(1).

if holds(ARGV[1], ARGV[2]) and call('HGET', job_key(ARGV[1]), 'status') == 'running' then
  call('HSET', job_key(ARGV[1]), 'sealed', 1)
  return {'ok'}
end
return lost(ARGV[1])
