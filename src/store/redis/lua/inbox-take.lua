-- A drainer takes entries, the earliest arrival first. Before that those whose time has come, or whose lease has ended, are
-- put in line, some hundreds of each at most.
--
-- KEYS    those of inbox.lua
-- ARGV[1] token   ARGV[2] lease in ms   ARGV[3] most entries   ARGV[4] most bytes
-- Output  a list: in how many ms something more may be taken, blank where there is nothing; then id, entry as JSON and body
--         of each
local now, token, limit, most_bytes = now_ms(), ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
for _, set in ipairs({ AHEAD, TAKEN }) do
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', set, '-inf', string.format('%.0f', now), 'LIMIT', 0, 500)) do
    local entry = read_entry(id)
    if entry then
      entry.taken, entry.notBefore = nil, nil
      move_entry(id, entry, set, now)
    end
  end
end

local reply, bytes = { '' }, 0
for _, id in ipairs(redis.call('ZRANGE', LINE, 0, limit - 1)) do
  local entry = read_entry(id)
  if entry then
    if #reply > 1 and bytes + entry.bytes > most_bytes then break end
    bytes = bytes + entry.bytes
    entry.taken, entry.notBefore = { token = token, leaseUntil = now + tonumber(ARGV[2]) }, nil
    move_entry(id, entry, LINE, now)
    reply[#reply + 1] = id
    reply[#reply + 1] = entry_text(entry)
    reply[#reply + 1] = redis.call('HGET', BODIES, id)
  end
end
post_inbox()

local next_at = redis.call('ZCARD', LINE) > 0 and now or nil
for _, set in ipairs({ AHEAD, TAKEN }) do
  local first = tonumber(redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2])
  next_at = first and math.min(next_at or first, first) or next_at
end
if next_at then reply[1] = string.format('%.0f', math.max(0, next_at - now)) end
return reply
