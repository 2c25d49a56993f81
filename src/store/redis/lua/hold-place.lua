-- Places a hold; one that is there stays as it is.
--
-- KEYS[1] holds
-- ARGV[1] pool   ARGV[2] scope   ARGV[3] failure kind   ARGV[4] ms until the first probe
-- Output  1 where it is new, else 0
local now, every = now_ms(), tonumber(ARGV[4])
local hold = {
  pool = ARGV[1], scope = ARGV[2], kind = ARGV[3], since = now, probeAt = now + every, probeEveryMs = every,
}
return redis.call('HSETNX', KEYS[1], ARGV[1] .. '|' .. ARGV[2], cjson.encode(hold))
