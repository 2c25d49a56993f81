-- Books units as damaged that are in the books of a run, and nowhere else any more, where these books have not moved since
-- they were read; and sets the counts of letters right.
--
-- KEYS[1] books   KEYS[2] pools
-- ARGV[1] what `owed` was when the walk began   ARGV[2] JSON [{run, terms: {term: count}, pending, dead}]
-- ARGV[3] JSON [{pool, was, is}], the counts of letters
-- Output  how many units were booked
local units, is_whole = 0, true
local function count_of(key, field)
  return tonumber(redis.call('HGET', key, field) or 0) or 0
end
for _, one in ipairs(cjson.decode(ARGV[2])) do
  local stands = true
  for term, count in pairs(one.terms) do stands = stands and count_of(KEYS[1], one.run .. '|' .. term) == count end
  is_whole = is_whole and stands
  if stands then
    for _, run in ipairs({ one.run, '' }) do
      for term, by in pairs({ pending = -one.pending, dead = -one.dead, damaged = one.pending + one.dead }) do
        if by ~= 0 then redis.call('HINCRBY', KEYS[1], run .. '|' .. term, string.format('%.0f', by)) end
      end
    end
    units = units + one.pending + one.dead
  end
end
for _, one in ipairs(cjson.decode(ARGV[3])) do
  local stands = count_of(KEYS[2], one.pool) == one.was
  is_whole = is_whole and stands
  if stands then redis.call('HSET', KEYS[2], one.pool, string.format('%.0f', one.is)) end
end
if is_whole and redis.call('HGET', DAMAGED_TEXTS, 'owed') == ARGV[1] then redis.call('HDEL', DAMAGED_TEXTS, 'owed') end
return units
