-- A text of the namespace is set anew where it is still the one that was read.
--
-- KEYS[1] memory
-- ARGV[1] name   ARGV[2] the text that was read; blank where there was none   ARGV[3] the new one   ARGV[4] and so on: names
--         of texts that are forgotten with it
-- Output  1; 0 where another text is there
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
for n = 4, #ARGV do redis.call('HDEL', KEYS[1], ARGV[n]) end
return 1
