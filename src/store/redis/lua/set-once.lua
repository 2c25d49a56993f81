-- Sets a field that has no value yet.
--
-- KEYS[1] the hash
-- ARGV[1] field   ARGV[2] value
-- Output  the value that is there now
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
