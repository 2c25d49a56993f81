-- Sets a plan aside.
--
-- KEYS[1] plans   KEYS[2] plan:<run>
-- ARGV[1] run
if redis.call('EXISTS', KEYS[2]) == 1 then
  shelve('plan', ARGV[1], table.concat(redis.call('LRANGE', KEYS[2], 0, -1), '\n'))
end
redis.call('DEL', KEYS[2])
redis.call('ZREM', KEYS[1], ARGV[1])
return 1
