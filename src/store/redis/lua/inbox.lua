-- The inbox: behind damaged.lua and counters.lua, in every script that moves entries. As store/inbox.ts says. An entry that
-- is broken, or has lost its body, is set aside with whatever is left of it.
--
-- KEYS    the last eight: inbox, inbox-bodies, inbox-line, inbox-ahead, inbox-taken, inbox-parked, inbox-seen, inbox-counts
local INBOX, BODIES, LINE, AHEAD, TAKEN, PARKED, SEEN, COUNTS = unpack(KEYS, #KEYS - 7)

-- One that broke is as if nothing was counted, until the inbox is empty or somebody counts.
local function inbox_count(field)
  local text = redis.call('HGET', COUNTS, field)
  if not is_broken(text) then return tonumber(text or 0) end
  shelve('counter', 'inbox ' .. field, text)
  redis.call('HDEL', COUNTS, field)
  return 0
end

local inbox_moves = {}
local function count_inbox(field, by)
  inbox_moves[field] = (inbox_moves[field] or 0) + by
end
local function waiting_entries()
  return redis.call('ZCARD', LINE) + redis.call('ZCARD', AHEAD) + redis.call('ZCARD', TAKEN)
end
local function post_inbox()
  for field, by in pairs(inbox_moves) do
    local count = by ~= 0 and math.max(0, inbox_count(field) + by)
    if count == 0 then redis.call('HDEL', COUNTS, field)
    elseif count then redis.call('HSET', COUNTS, field, string.format('%.0f', count)) end
  end
  -- Where nothing lies nothing can be counted.
  local nothing_waits, nothing_parked = waiting_entries() == 0, redis.call('ZCARD', PARKED) == 0
  for _, field in ipairs((nothing_waits or nothing_parked) and redis.call('HKEYS', COUNTS) or {}) do
    local is_of_parked = field ~= 'bytes'
    if is_of_parked and nothing_parked or not is_of_parked and nothing_waits then redis.call('HDEL', COUNTS, field) end
  end
end

local function count_waiting(entry, by)
  count_inbox('bytes', by * entry.bytes)
end
local function count_parked(entry, by)
  count_inbox('parked-bytes', by * entry.bytes)
  count_inbox('parked|' .. entry.feed, by)
end

-- Takes away all that there is of an entry.
local function drop_entry(id)
  redis.call('HDEL', INBOX, id)
  redis.call('HDEL', BODIES, id)
  for _, set in ipairs({ LINE, AHEAD, TAKEN, PARKED }) do redis.call('ZREM', set, id) end
end

-- The entry with the size of its body; nil where there is none, and its places are given up.
local function read_entry(id)
  local text = redis.call('HGET', INBOX, id)
  local entry = text and sound('entry', id, text)
  local bytes = text and redis.call('HSTRLEN', BODIES, id) or 0
  if entry and bytes > 0 then
    entry.bytes = bytes
    return entry
  end
  if text then
    shelve('entry', id, text .. '\n' .. (redis.call('HGET', BODIES, id) or ''))
    if not redis.call('ZSCORE', PARKED, id) then count_inbox('bytes', -bytes)
    else count_inbox('parked-bytes', -bytes) end
  end
  drop_entry(id)
  return nil
end

-- As it is kept. What is parked has neither drainer nor time.
local function entry_text(entry)
  return cjson.encode({
    arrival = entry.arrival, arrivedAt = entry.arrivedAt, feed = entry.feed,
    notBefore = entry.notBefore, taken = entry.taken, parked = entry.parked,
  })
end
local function write_entry(id, entry)
  redis.call('HSET', INBOX, id, entry_text(entry))
end

-- The set in which an entry has its place, and the place.
local function place_of(entry, now)
  if entry.parked then return PARKED, entry.arrival end
  if entry.taken then return TAKEN, string.format('%.0f', entry.taken.leaseUntil) end
  if entry.notBefore and entry.notBefore > now then return AHEAD, string.format('%.0f', entry.notBefore) end
  return LINE, entry.arrival
end

-- Writes an entry whose state has changed, and puts it from one place to another: what a full server refuses comes first.
local function move_entry(id, entry, from, now)
  write_entry(id, entry)
  local to, score = place_of(entry, now)
  redis.call('ZADD', to, score, id)
  if to ~= from then redis.call('ZREM', from, id) end
end

-- The entry, where it was taken under this token.
local function taken_entry(id, token)
  local entry = read_entry(id)
  return entry and entry.taken and entry.taken.token == token and entry or nil
end

local function park_entry(id, entry, reason, now)
  entry.taken, entry.parked = nil, { at = now, reason = reason }
  move_entry(id, entry, TAKEN, now)
  count_parked(entry, 1)
end
