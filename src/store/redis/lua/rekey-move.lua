-- Moves fields of a hash to other names, in it or in another, and their members of sorted sets with them.
--
-- KEYS[1] from   KEYS[2] to   KEYS[3] and so on: sorted sets
-- ARGV    field, the new field, its text, and JSON [[number of a set, member, score or blank to take it away]]; and so on:
--         four a field
-- Output  how many were moved
local moved = 0
for n = 1, #ARGV, 4 do
  local field, name, text, members = unpack(ARGV, n, n + 3)
  if redis.call('HEXISTS', KEYS[1], field) == 1 then
    -- In this order: a hash that is empty in between would lose when it expires.
    redis.call('HSET', KEYS[2], name, text)
    redis.call('HDEL', KEYS[1], field)
    for _, one in ipairs(cjson.decode(members)) do
      local set, member, score = KEYS[2 + one[1]], one[2], one[3]
      if score == '' then redis.call('ZREM', set, member) else redis.call('ZADD', set, score, member) end
    end
    moved = moved + 1
  end
end
return moved
