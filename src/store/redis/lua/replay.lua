-- Letters are put again under their old versions and runs; `received` does not move.
--
-- KEYS    those of mailbox.lua
-- ARGV[1] letter ids, JSON list   ARGV[2] priority
-- Output  JSON {due?: [{user, priority, letter, pool}]}, an entry a letter that was there; or {missing_pool_key}
local seen = redis.call('GET', ONCE)
if seen then return seen end

local priority = tonumber(ARGV[2])
local letters = {}
for _, id in ipairs(cjson.decode(ARGV[1])) do
  local text = redis.call('HGET', LETTERS, id)
  local letter = text and read_letter(id, text)
  if letter then
    if not KNOWN[letter.pool] then return missing_pool_key(letter.pool) end
    letters[#letters + 1] = letter
  end
end

-- True where the user's mailbox is of another pool than the letter says, and in no due set of that pool.
local function is_of_another_pool(letter)
  local text = redis.call('HGET', MAILBOXES, letter.user)
  local mailbox = text and sound('mailbox', letter.user, text)
  return mailbox and mailbox.pool ~= letter.pool and not redis.call('ZSCORE', KNOWN[letter.pool], letter.user)
end

local due = {}
for _, letter in ipairs(letters) do
  -- An id that was given twice is taken once.
  if is_of_another_pool(letter) then
    local text = redis.call('HGET', LETTERS, letter.id)
    if text then set_aside_letter(letter.id, text) end
  elseif redis.call('HDEL', LETTERS, letter.id) == 1 then
    redis.call('ZREM', LETTER_TIMES, letter.id)
    count_letters(POOLS, letter.pool, -1, LETTER_TIMES)
    local d = draft(letter.user, { pool = letter.pool, username = letter.username, priority = priority })
    book(letter.run, 'dead', -1)
    place(d, letter.unit, {
      version = letter.version, digest = letter.digest, body = letter.body, run = letter.run,
      attempts = 0, faults = 0, deaths = 0, notBefore = 0, account = letter.account, replaced = letter.replaced,
    })
    finish(d)
    local overtakes = d.text and d.mailbox.priority or priority
    due[#due + 1] = { user = letter.user, priority = overtakes, letter = letter.id, pool = letter.pool }
  end
end
post()
return answer_once({ due = #due > 0 and due or nil })
