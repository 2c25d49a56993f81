-- Claims and settles of several users, gathered by the client: see batcher.ts. Each is a step of its own: what is wrong
-- with one user's documents fails that step alone, before anything of it is booked or written. What the server refuses
-- (it is full, a replica, without its replicas) is refused by the writing, which no step does, and fails the call.
--
-- KEYS    those of mailbox.lua
-- ARGV[1] 1 where a settle may bury, else 0
-- ARGV[2] user, token, lease in ms, settlements as JSON, blank for a claim, and a JSON {runs, despitePause} of what is
--         meant, blank for everything; and so on: five a step, each user once
-- Output  a list, an answer a step: that of claim.lua or settle.lua, or an error. Sent twice, the second time gives the
--         claims again, finds the units settled, and answers the letters of the first time.
local users = {}
for i = 2, #ARGV, 5 do users[#users + 1] = ARGV[i] end
local documents = redis.call('HMGET', MAILBOXES, unpack(users))
local ledgers = redis.call('HMGET', LEDGER, unpack(users))
local seen = ARGV[1] == '1' and redis.call('GET', ONCE)
seen = seen and cjson.decode(seen) or {}

local function carry_out(n, user)
  local d = open(user, documents[n], ledgers[n])
  local token, lease_ms, settlements, selection = ARGV[5 * n - 2], tonumber(ARGV[5 * n - 1]), ARGV[5 * n], ARGV[5 * n + 1]
  local meant = selection ~= '' and cjson.decode(selection) or {}
  local runs
  if meant.runs then
    runs = {}
    for _, run in ipairs(meant.runs) do runs[run] = true end
  end
  if settlements == '' then return claim(d, token, lease_ms, runs, meant.despitePause), d end
  return settle(d, token, lease_ms, cjson.decode(settlements), runs), d
end

local answers, drafts, with_letters = {}, {}, {}
for n, user in ipairs(users) do
  if seen[user] then
    answers[n] = seen[user]
  else
    local done_well, answer, d = guarded(carry_out, n, user)
    if done_well then
      answers[n] = answer
      drafts[#drafts + 1] = d
      if d.letters and #d.letters > 0 then with_letters[user] = answer end
    else
      answers[n] = { err = 'ERR ' .. tostring(answer) }
    end
  end
end

write(drafts)
for _, d in ipairs(drafts) do
  for _, letter in ipairs(d.letters or {}) do
    redis.call('HSET', LETTERS, letter.id, letter.text)
    redis.call('ZADD', LETTER_TIMES, string.format('%.0f', letter.buried_at), letter.id)
    if not letter.is_known then count_letters(POOLS, letter.pool, 1, LETTER_TIMES) end
  end
end
post()
if not is_empty(with_letters) then answer_once(with_letters) end
return answers
