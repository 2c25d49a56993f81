-- What a scan has seen takes the place of what an earlier one saw, where the scan is whole.
--
-- KEYS[1] accounts of the scan   KEYS[2] accounts   KEYS[3] account-scans
-- ARGV[1] the index: pool and attribute   ARGV[2] when the scan began   ARGV[3] how many times it added something
--         ARGV[4] for how long it is kept, in ms
-- Output  1; 0 where a later scan is there, or not all was added that should be
local last = tonumber(redis.call('HGET', KEYS[3], ARGV[1]) or '')
local adds = tonumber(redis.call('HGET', KEYS[1], '') or '0')
if adds ~= tonumber(ARGV[3]) or (last and last > tonumber(ARGV[2])) then
  redis.call('UNLINK', KEYS[1])
  return 0
end
redis.call('UNLINK', KEYS[2])
redis.call('HDEL', KEYS[1], '')
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  redis.call('RENAME', KEYS[1], KEYS[2])
end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 1
