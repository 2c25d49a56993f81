-- Users whom a gate has kept are due again, unless it is closed.
--
-- KEYS    those of mailbox.lua
-- ARGV[1] gate   ARGV[2] limit
-- Output  JSON {due?: [{user, priority, pool}]}; or {missing_pool_key}
local seen = redis.call('GET', ONCE)
if seen then return seen end

local gate = ARGV[1]
if redis.call('HEXISTS', GATES, gate) == 1 then return '{}' end
local members = redis.call('ZRANGEBYLEX', KEPT, '[' .. gate .. '\0', '(' .. gate .. '\1', 'LIMIT', 0, ARGV[2])
local drafts = {}
for n, member in ipairs(members) do
  local user = string.sub(member, #gate + 2)
  -- A damaged one keeps nobody else: whose mailbox it was is due again with the next change.
  local is_sound, d = pcall(open, user, redis.call('HGET', MAILBOXES, user), redis.call('HGET', LEDGER, user))
  if not is_sound then d = {} end
  if d.mailbox and not KNOWN[d.mailbox.pool] then return missing_pool_key(d.mailbox.pool) end
  drafts[n] = d
end
local due, changed = {}, {}
for n, d in ipairs(drafts) do
  redis.call('ZREM', KEPT, members[n])
  if d.mailbox then
    changed[#changed + 1] = d
    if close(d) then due[#due + 1] = { user = d.user, priority = d.mailbox.priority, pool = d.mailbox.pool } end
  end
end
write(changed)
post()
return answer_once({ due = #due > 0 and due or nil })
