-- Says that a worker is alive, and forgets those whose time has passed.
--
-- KEYS[1] workers
-- ARGV[1] its id   ARGV[2] for how many ms   ARGV[3] what it is, JSON
local now = now_ms()
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local ends = tonumber(string.match(all[at + 1], '^(%d+)|'))
  if not ends or ends <= now then redis.call('HDEL', KEYS[1], all[at]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f|%s', now + tonumber(ARGV[2]), ARGV[3]))
