-- Takes the keys of format 1 away, and leaves a text in the place of each: a process of a version that looks at no format
-- fails at the first of them that it touches, and writes nothing.
--
-- KEYS[1] memory   then a key, and what it is called from now on, and so on
-- ARGV[1] the format that is left   ARGV[2] the word for one that is under way   ARGV[3] the text
-- Output  1; 0 where the namespace has another format
if redis.call('HGET', KEYS[1], 'format') ~= ARGV[1] then return 0 end
for n = 2, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[n]) == 1 then redis.call('RENAME', KEYS[n], KEYS[n + 1]) end
  redis.call('SET', KEYS[n], ARGV[3])
end
redis.call('HSET', KEYS[1], 'format', ARGV[2])
return 1
