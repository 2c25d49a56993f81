-- Users of a pool who are due are brought to where the gates stand now.
--
-- KEYS    those of mailbox.lua, with due:<pool> of the pool
-- ARGV[1] pool   ARGV[2] offset   ARGV[3] limit
-- Output  JSON {looked, due}: how many were looked at, and how many of them are still due
local seen = redis.call('GET', ONCE)
if seen then return seen end

local from = tonumber(ARGV[2])
local users = redis.call('ZRANGE', KNOWN[ARGV[1]], from, from + tonumber(ARGV[3]) - 1)
local due, drafts = 0, {}
local function sort_out(user)
  local d = open(user, redis.call('HGET', MAILBOXES, user), redis.call('HGET', LEDGER, user))
  if not d.mailbox then return d end
  take_over(d)
  return d, close(d)
end
for _, user in ipairs(users) do
  -- A damaged mailbox stays where it is; the worker that claims it says what is wrong.
  local done_well, d, at = guarded(sort_out, user)
  if at or not done_well or not d.mailbox then due = due + 1 end
  if done_well and d.mailbox then drafts[#drafts + 1] = d end
end
write(drafts)
post()
return answer_once({ looked = #users, due = due })
