-- What is parked is held to its bounds, the earliest arrival going first, and events are forgotten that nobody repeats.
--
-- KEYS    those of inbox.lua
-- ARGV[1] how long an entry may lie, in ms   ARGV[2] most entries   ARGV[3] most bytes   ARGV[4] how many go at most
-- ARGV[5] how long an event is known, in ms
-- Output  how many entries went
local now, keep_ms, limit = now_ms(), tonumber(ARGV[1]), tonumber(ARGV[4])
local left, bytes, gone = redis.call('ZCARD', PARKED), inbox_count('parked-bytes'), 0
for _, id in ipairs(redis.call('ZRANGE', PARKED, 0, limit - 1)) do
  local entry = read_entry(id)
  if entry then
    local is_old = entry.arrivedAt <= now - keep_ms
    if not is_old and left <= tonumber(ARGV[2]) and bytes <= tonumber(ARGV[3]) then break end
    drop_entry(id)
    count_parked(entry, -1)
    bytes, gone = bytes - entry.bytes, gone + 1
  end
  left = left - 1
end
post_inbox()
local old = redis.call('ZRANGEBYSCORE', SEEN, '-inf', string.format('%.0f', now - tonumber(ARGV[5])), 'LIMIT', 0, limit)
if #old > 0 then redis.call('ZREM', SEEN, unpack(old)) end
return gone
