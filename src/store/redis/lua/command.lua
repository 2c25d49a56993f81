-- One command on one key, behind the fence.
--
-- KEYS[1] the key
-- ARGV[1] the command   ARGV[2] and so on: its arguments after the key
-- Output  that of the command
return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))
