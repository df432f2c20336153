-- Shared by all scripts. Go puts the definitions that a script needs between its
-- first line and the rest; to that end each begins with "local" at the start of
-- a line, and nothing else does. The files of the prelude follow each other as
-- script.go lists them, and a definition mentions only earlier ones.
--
-- KEYS[1] is always the queue's counter, "{prefix}:seq": it routes the call and
-- names the prefix. All other keys are computed here and nowhere else; keys.go
-- tells what they hold.
--
-- Numbers: ".." prints only 14 digits, so every number that goes into a string
-- is printed by "%.0f". A name that may hold a zero byte is joined by "..", since
-- "%s" would cut it there. Numbers given to redis.call print 17 digits and are
-- safe, since all of ours are whole and below 2^53.

local call = redis.call
local P = string.sub(KEYS[1], 1, -5)

local SEQ, LAYOUT, PAUSED = KEYS[1], P .. ':layout', P .. ':paused'
local INDEX, SOURCES = P .. ':index', P .. ':sources'
local RUNNING, RUNS, DELAYED = P .. ':running', P .. ':runs', P .. ':delayed'
local WORKERS, SWEPT = P .. ':workers', P .. ':swept'
local HISTORIES, ESTIMATES = P .. ':histories', P .. ':estimates'
local USERS, CHANGES = P .. ':users', P .. ':changes' -- channels

local function job_key(id) return P .. ':jobs:' .. id end
local function queue_key(list) return P .. ':queue:' .. list end
local function holes_key(list) return P .. ':holes:' .. list end
local function gaps_key(list) return P .. ':gaps:' .. list end
local function waiters_key(id) return P .. ':waiters:' .. id end
local function mine_key(user) return P .. ':mine:' .. user end
local function pointer_key(digest) return P .. ':keys:' .. digest end
local function spent_key(claim) return P .. ':spent:' .. claim end
local function table_key(lane) return P .. ':table:' .. lane end
local function free_key(lane) return P .. ':free:' .. lane end
local function open_key(lane) return P .. ':open:' .. lane end
local function ready_key(lane, source) return P .. ':ready:' .. lane .. ':' .. source end

local LANES = {'sql', 'export'}
local BASE = 1048576            -- number of the first job of a list; room to give back below it
local LEVELS = 33               -- numbers stay below 2^33
local PLACES = 2199023255552    -- 2^41: score = running * PLACES + place

-- Settings, in milliseconds; a script whose operation needs them sets them.
local lease, retention = 0, 0

local function int(n) return string.format('%.0f', n) end

-- clock is the server's time in milliseconds.
local function clock()
  local t = call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- tick counts a change of the queue and returns a number never used before.
local function tick() return call('INCR', SEQ) end

-- A list is named "alice" (lane sql) or "alice:export"; user names hold no ":".
local function user_of(list) return string.match(list, '^[^:]*') end
local function lane_of(list) return string.match(list, ':(.*)$') or 'sql' end
local function list_of(user, lane) return lane == 'sql' and user or user .. ':' .. lane end

local function announce(id, state) call('PUBLISH', CHANGES, id .. ' ' .. state) end
local function wake(list) call('PUBLISH', USERS, user_of(list)) end
