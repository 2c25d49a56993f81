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
local function open_member(member)
  local user = string.sub(member, #gate + 2)
  return open(user, redis.call('HGET', MAILBOXES, user), redis.call('HGET', LEDGER, user))
end
local opened = {}
for _, member in ipairs(members) do
  local done_well, d = guarded(open_member, member)
  if done_well and d.mailbox and not KNOWN[d.mailbox.pool] then return missing_pool_key(d.mailbox.pool) end
  if done_well then opened[#opened + 1] = { member = member, d = d } end
end
local function sort_out(d)
  take_over(d)
  return close(d)
end
local due, changed = {}, {}
for _, one in ipairs(opened) do
  local d, done_well, at = one.d, true, nil
  if d.mailbox then done_well, at = guarded(sort_out, d) end
  if done_well then redis.call('ZREM', KEPT, one.member) end
  if done_well and d.mailbox then
    changed[#changed + 1] = d
    if at then due[#due + 1] = { user = d.user, priority = d.mailbox.priority, pool = d.mailbox.pool } end
  end
end
write(changed)
post()
return answer_once({ due = #due > 0 and due or nil })
