-- Takes the keys of format 1 away, and leaves a text in the place of each: a process of a version that looks at no format
-- fails at the first of them that it touches, and writes nothing.
--
-- KEYS[1] memory   KEYS[2] targets   KEYS[3] pools of format 1   then a key, and what it is called from now on, and so on
-- ARGV[1] the format that is left   ARGV[2] the word for one that is under way   ARGV[3] the text
-- ARGV[4] and so on: the pools whose due sets are among the keys
-- Output  1; 0 where the namespace has another format; where a pool is not among these, a list of all there are, each
--         once, and nothing was done
if redis.call('HGET', KEYS[1], 'format') ~= ARGV[1] then return 0 end

local known, listed, pools, is_complete = {}, {}, {}, true
for n = 4, #ARGV do known[ARGV[n]] = true end
for n = 2, 3 do
  for _, pool in ipairs(redis.call('HKEYS', KEYS[n])) do
    -- A key that came twice would be taken away with what was left in its place.
    if not listed[pool] then pools[#pools + 1] = pool end
    listed[pool] = true
    is_complete = is_complete and known[pool] or false
  end
end
if not is_complete then return pools end

for n = 4, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[n]) == 1 then redis.call('RENAME', KEYS[n], KEYS[n + 1]) end
  redis.call('SET', KEYS[n], ARGV[3])
end
redis.call('HSET', KEYS[1], 'format', ARGV[2])
return 1
