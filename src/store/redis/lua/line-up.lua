-- A member comes back into a sorted set that has lost it, where its document is still the one that was read.
--
-- KEYS[1] the hash of the documents   KEYS[2] the sorted set
-- ARGV[1] field   ARGV[2] the text that was read   ARGV[3] member   ARGV[4] score
-- Output  1; 0 where another text is there by now, or the member
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('ZADD', KEYS[2], 'NX', ARGV[4], ARGV[3])
