#!lua flags=no-writes
-- List: a page of a user's jobs, newest first. Entries whose record has expired
-- are left out, so a page may hold fewer jobs than it looked at.
--
-- ARGV  1 user  2 only orders below this, in score syntax  3 entries to look at
-- Returns {entries looked at, order of the last of them, view, view, ...}
-- Cost  O(log jobs of the user + entries).

local entries = call('ZREVRANGEBYSCORE', mine_key(ARGV[1]), ARGV[2], '-inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
local page = {#entries / 2, entries[#entries] or '0'}
for i = 1, #entries, 2 do
  local v = view(entries[i])
  if v then page[#page + 1] = v end
end
return page
