#!lua
-- SetCapacities: replaces the capacities of all sources, and opens or closes
-- each of them accordingly.
--
-- ARGV  pairs of source and capacity
-- Returns nothing.
-- Cost  O(sources).

local touched = {}
for _, field in ipairs(call('HKEYS', SOURCES)) do
  local source = string.match(field, '^capacity:(.*)$')
  if source then
    touched[source] = true
    call('HDEL', SOURCES, field)
  end
end
for i = 1, #ARGV, 2 do
  touched[ARGV[i]] = true
  call('HSET', SOURCES, 'capacity:' .. ARGV[i], ARGV[i + 1])
end
tick()
for source in pairs(touched) do
  for _, lane in ipairs(LANES) do
    local best = reopen(lane, source)
    if best then wake(best) end
  end
end
return false
