-- Closes a gate; one that is closed stays as it is.
--
-- KEYS[1] gates
-- ARGV[1] gate   ARGV[2] who   ARGV[3] why
-- Output  1 where it was open, else 0
local pause = { state = 'paused', since = now_ms(), by = ARGV[2], reason = ARGV[3] }
return redis.call('HSETNX', KEYS[1], ARGV[1], cjson.encode(pause))
