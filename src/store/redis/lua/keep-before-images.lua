-- Keeps what was there before a run, all of it or nothing. A unit's first text stays.
--
-- KEYS[1] the run's before images
-- ARGV[1] ms until they are gone   then unit, text, unit, text …
for at = 2, #ARGV, 2 do
  redis.call('HSETNX', KEYS[1], ARGV[at], ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
