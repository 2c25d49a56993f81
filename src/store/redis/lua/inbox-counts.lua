-- How much lies in the inbox.
--
-- KEYS    those of inbox.lua
-- Output  JSON {isUsed, waiting, ahead, taken, bytes, oldestAt?, parked: {entries, bytes}, feeds?: {feed: count}}
local now = string.format('%.0f', now_ms())
local due, ended = redis.call('ZCOUNT', AHEAD, '-inf', now), redis.call('ZCOUNT', TAKEN, '-inf', now)

-- Of those whose time has come or whose lease has ended the first hundred are looked at.
local oldest = redis.call('ZRANGE', LINE, 0, 0)
for _, set in ipairs({ AHEAD, TAKEN }) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', now, 'LIMIT', 0, 100)) do oldest[#oldest + 1] = id end
end
local oldest_at
for _, id in ipairs(oldest) do
  local text = redis.call('HGET', INBOX, id)
  local entry = text and sound('entry', id, text)
  if entry then oldest_at = math.min(oldest_at or entry.arrivedAt, entry.arrivedAt) end
end

local feeds = {}
for _, field in ipairs(redis.call('HKEYS', COUNTS)) do
  local feed = string.match(field, '^parked|(.*)$')
  local count = feed and inbox_count(field) or 0
  if count > 0 then feeds[feed] = count end
end
return cjson.encode({
  isUsed = redis.call('EXISTS', INBOX, SEEN) > 0,
  waiting = redis.call('ZCARD', LINE) + due + ended,
  ahead = redis.call('ZCARD', AHEAD) - due,
  taken = redis.call('ZCARD', TAKEN) - ended,
  bytes = inbox_count('bytes'),
  oldestAt = oldest_at,
  parked = { entries = redis.call('ZCARD', PARKED), bytes = inbox_count('parked-bytes') },
  feeds = next(feeds) and feeds or nil,
})
