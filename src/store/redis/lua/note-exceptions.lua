-- Keeps why units were not written, and forgets what is old or too much.
--
-- KEYS[1] exceptions   KEYS[2] exception-times
-- ARGV[1] how many users and names are kept   ARGV[2] how long, in ms   ARGV[3] JSON [{about, unit, kind, run, line?, reason}]
local now = now_ms()
for _, exception in ipairs(cjson.decode(ARGV[3])) do
  local about, unit = exception.about, exception.unit
  exception.about, exception.unit, exception.at = nil, nil, now
  local text = redis.call('HGET', KEYS[1], about)
  local known = text and read_document('exceptions', KEYS[1], about, text) or {}
  known[unit] = exception
  redis.call('HSET', KEYS[1], about, cjson.encode(known))
  redis.call('ZADD', KEYS[2], string.format('%.0f', now), about)
end
local function forget(gone)
  for _, about in ipairs(gone) do
    redis.call('HDEL', KEYS[1], about)
    redis.call('ZREM', KEYS[2], about)
  end
end
forget(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - tonumber(ARGV[2]))))
forget(redis.call('ZRANGE', KEYS[2], 0, redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[1]) - 1))
return 1
