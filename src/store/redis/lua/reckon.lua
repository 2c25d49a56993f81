-- Books units as damaged that are in the books of a run, and nowhere else any more, where these books have not moved since
-- they were read; and sets the counts of letters right. What is there and not in the books was in a counter that broke: it
-- was received.
--
-- KEYS[1] books   KEYS[2] pools
-- ARGV[1] what `owed` was when the walk began   ARGV[2] JSON [{run, terms: {term: count}, pending, dead}]: how many more the
--         books have than there are; the total, whose run is blank, comes last, without what the runs have
-- ARGV[3] JSON [{pool, was, is}], the counts of letters
-- Output  how many units were booked
local units, is_whole = 0, true
local function count_of(key, field)
  return tonumber(redis.call('HGET', key, field) or 0) or 0
end
local standing = {}
for _, one in ipairs(cjson.decode(ARGV[2])) do
  local stands = one.run ~= '' or is_whole
  for term, count in pairs(one.terms) do stands = stands and count_of(KEYS[1], one.run .. '|' .. term) == count end
  is_whole = is_whole and stands
  if stands then standing[#standing + 1] = one end
end
local function book(run, term, by)
  if by ~= 0 then redis.call('HINCRBY', KEYS[1], run .. '|' .. term, string.format('%.0f', by)) end
end
for _, one in ipairs(standing) do
  local gone = one.pending + one.dead
  for _, run in ipairs(one.run == '' and { '' } or { one.run, '' }) do
    mend_books(KEYS[1], run)
    book(run, 'pending', -one.pending)
    book(run, 'dead', -one.dead)
    book(run, 'damaged', math.max(0, gone))
    book(run, 'received', math.max(0, -gone))
  end
  if one.run ~= '' then units = units + math.max(0, gone) end
end
for _, one in ipairs(cjson.decode(ARGV[3])) do
  local stands = count_of(KEYS[2], one.pool) == one.was
  is_whole = is_whole and stands
  if stands then redis.call('HSET', KEYS[2], one.pool, string.format('%.0f', one.is)) end
end
if is_whole and redis.call('HGET', DAMAGED_TEXTS, 'owed') == ARGV[1] then redis.call('HDEL', DAMAGED_TEXTS, 'owed') end
return units
