-- Orders -------------------------------------------------------------------

-- parse_order unpacks a job's field "order".
local function parse_order(s)
  local number, total, estimate, seq, retry, cap, digest, source =
    string.match(s, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (.*)$')
  return {number = tonumber(number), total = tonumber(total), estimate = tonumber(estimate), seq = tonumber(seq),
    retry = tonumber(retry), cap = tonumber(cap), digest = digest, source = source}
end

local function format_order(o)
  return string.format('%.0f %.0f %.0f %.0f %.0f %.0f ', o.number, o.total, o.estimate, o.seq, o.retry, o.cap)
    .. o.digest .. ' ' .. o.source
end

-- Holes --------------------------------------------------------------------
--
-- Jobs of a list are numbered without gaps, so that a job's index is its number
-- less that of the head. A job taken out of the middle leaves a hole. How
-- many lie ahead of a number is a ZCOUNT; the sum of their estimates comes from
-- a binary tree over the numbers: field "level:block" holds the sum over the
-- 2^level numbers from block * 2^level on, for even blocks only, which is all
-- that a sum over "everything below n" reads.

local function add_gap(list, number, estimate)
  if estimate == 0 then return end
  local key, block = gaps_key(list), number
  for level = 0, LEVELS - 1 do
    if block % 2 == 0 then
      local field = level .. ':' .. int(block)
      if call('HINCRBY', key, field, estimate) == 0 then call('HDEL', key, field) end
    end
    block = math.floor(block / 2)
  end
end

-- gaps_below is the sum of the estimates of all holes below a number.
local function gaps_below(list, number)
  local fields, block = {}, number
  for level = 0, LEVELS - 1 do
    if block % 2 == 1 then fields[#fields + 1] = level .. ':' .. int(block - 1) end
    block = math.floor(block / 2)
  end
  if #fields == 0 then return 0 end
  local sum = 0
  for _, v in ipairs(call('HMGET', gaps_key(list), unpack(fields))) do sum = sum + tonumber(v or 0) end
  return sum
end

-- fill removes up to n holes with numbers from low to high (score syntax).
local function fill(list, low, high, n)
  for _, hole in ipairs(call('ZRANGEBYSCORE', holes_key(list), low, high, 'LIMIT', 0, n)) do
    local number, estimate = string.match(hole, '^(%S+) (%S+)$')
    call('ZREM', holes_key(list), hole)
    add_gap(list, tonumber(number), -tonumber(estimate))
  end
end

-- rehead reads the head of a list again after it has changed. Holes it has
-- passed are removed a few at a time: below the head they do no harm.
local function rehead(l)
  local id = l.pending > 0 and call('LINDEX', queue_key(l.list), -1)
  local order = id and call('HGET', job_key(id), 'order')
  if not order then
    l.head, l.from, l.source = l.next, l.upto, ''
    call('UNLINK', holes_key(l.list), gaps_key(l.list))
    return
  end
  local o = parse_order(order)
  l.head, l.from, l.source = o.number, o.total, o.source
  if call('EXISTS', holes_key(l.list)) == 1 then fill(l.list, '-inf', '(' .. int(l.head), 16) end
end

-- Places in a list ---------------------------------------------------------

-- append puts a job at the end of its list and numbers it. O(1).
local function append(l, id, o)
  o.number, o.total = l.next, l.upto
  l.next, l.upto = l.next + 1, l.upto + o.estimate
  if l.pending == 0 then l.source = o.source end
  l.pending, l.sum = l.pending + 1, l.sum + o.estimate
  call('LPUSH', queue_key(l.list), id)
end

-- give_back puts a job at the head of its list. O(log holes).
local function give_back(l, id, o)
  l.head, l.from, l.source = l.head - 1, l.from - o.estimate, o.source
  l.pending, l.sum = l.pending + 1, l.sum + o.estimate
  o.number, o.total = l.head, l.from
  -- A stale hole with this number would now count.
  fill(l.list, int(o.number), int(o.number), 1)
  call('RPUSH', queue_key(l.list), id)
  call('HSET', job_key(id), 'order', format_order(o))
end

-- take_out removes a pending job from anywhere in its list. O(jobs between it
-- and the nearer end), which Redis does at 60 million a second.
local function take_out(l, id, o)
  local ahead, behind = o.number - l.head, l.next - 1 - o.number
  call('LREM', queue_key(l.list), ahead <= behind and -1 or 1, id)
  l.pending, l.sum = l.pending - 1, l.sum - o.estimate
  if ahead == 0 then
    rehead(l)
  elseif behind == 0 then
    l.next, l.upto = o.number, o.total
  else
    call('ZADD', holes_key(l.list), o.number, int(o.number) .. ' ' .. int(o.estimate))
    add_gap(l.list, o.number, o.estimate)
  end
end

-- undelay ends a job's waiting for a retry; where it goes is the caller's.
local function undelay(l, id)
  call('ZREM', DELAYED, id)
  call('HDEL', job_key(id), 'due')
  l.delayed = l.delayed - 1
end

-- holed tells whether numbers between the head and this one may be missing.
local function holed(l, o) return o.number > l.head and l.next - l.head ~= l.pending end

-- index is the number of jobs before a pending job in its list. O(log holes).
local function index(l, o)
  local n = o.number - l.head
  if holed(l, o) then n = n - call('ZCOUNT', holes_key(l.list), l.head, '(' .. int(o.number)) end
  return n
end

-- ahead is the sum of the estimates of those jobs. O(log numbers).
local function ahead(l, o)
  local sum = o.total - l.from
  if holed(l, o) then sum = sum - gaps_below(l.list, o.number) + gaps_below(l.list, l.head) end
  return sum
end
