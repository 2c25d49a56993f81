-- Opens a gate that was paused.
--
-- KEYS[1] gates
-- ARGV[1] gate
-- Output  1 where it was, else 0
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text or cjson.decode(text).state ~= 'paused' then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
