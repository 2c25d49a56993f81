-- Ends an upgrade whose documents have all moved.
--
-- KEYS[1] memory   KEYS[2] and so on: the hashes of format 1
-- ARGV[1] the word for one that is under way   ARGV[2] the format
-- Output  1 where no document is left, else 0
for n = 2, #KEYS do
  if redis.call('EXISTS', KEYS[n]) == 1 then return 0 end
end
if redis.call('HGET', KEYS[1], 'format') == ARGV[1] then redis.call('HSET', KEYS[1], 'format', ARGV[2]) end
return 1
