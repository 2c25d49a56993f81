-- Letters are taken away.
--
-- KEYS    those of mailbox.lua
-- ARGV[1] letter ids, JSON list
-- Output  JSON: how many were there
local seen = redis.call('GET', ONCE)
if seen then return seen end

local count = 0
for _, id in ipairs(cjson.decode(ARGV[1])) do
  local text = redis.call('HGET', LETTERS, id)
  local letter = text and read_letter(id, text)
  if letter then
    redis.call('HDEL', LETTERS, id)
    redis.call('ZREM', LETTER_TIMES, id)
    count_letters(POOLS, letter.pool, -1, LETTER_TIMES)
    book(letter.run, 'dead', -1)
    book(letter.run, 'discarded', 1)
    count = count + 1
  end
end
post()
return answer_once(count)
