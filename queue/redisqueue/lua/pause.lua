#!lua flags=allow-oom
-- SetPaused: stops or restarts the claiming of jobs.
--
-- ARGV  1 "1" to stop, "0" to restart
-- Returns nothing.
-- Cost  O(1); a restart publishes a wake for the best list of each lane.

if ARGV[1] == '1' then
  if call('SETNX', PAUSED, 1) == 1 then tick() end
elseif call('DEL', PAUSED) == 1 then
  tick()
  for _, lane in ipairs(LANES) do
    local source = call('ZRANGE', open_key(lane), 0, 0)[1]
    local list = source and call('ZRANGE', ready_key(lane, source), 0, 0)[1]
    if list then wake(list) end
  end
end
return false
