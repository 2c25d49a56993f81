-- Users of a pool who are due, or whom a gate keeps, are brought to where the gates stand now.
--
-- KEYS    those of mailbox.lua
-- ARGV[1] `pool` or `gate`   ARGV[2] its name   ARGV[3] offset   ARGV[4] limit
-- Output  JSON {looked, left}: how many were looked at, and how many of them are still among these users; or
--         {missing_pool_key}
local seen = redis.call('GET', ONCE)
if seen then return seen end

local name, from = ARGV[2], tonumber(ARGV[3])
local of_gate, users = ARGV[1] == 'gate', {}
if of_gate then
  local members = redis.call('ZRANGEBYLEX', KEPT, '[' .. name .. '\0', '(' .. name .. '\1', 'LIMIT', from, ARGV[4])
  for n, member in ipairs(members) do users[n] = string.sub(member, #name + 2) end
else
  users = redis.call('ZRANGE', KNOWN[name], from, from + tonumber(ARGV[4]) - 1)
end

local function open_user(user)
  return open(user, redis.call('HGET', MAILBOXES, user), redis.call('HGET', LEDGER, user))
end
local left, opened = 0, {}
for _, user in ipairs(users) do
  local done_well, d = guarded(open_user, user)
  if done_well and d.mailbox and not KNOWN[d.mailbox.pool] then return missing_pool_key(d.mailbox.pool) end
  if not done_well then
    left = left + 1
  elseif d.mailbox then
    opened[#opened + 1] = d
  elseif of_gate then
    -- Nothing is there, or no more: it was set aside.
    redis.call('ZREM', KEPT, name .. '\0' .. user)
  else
    redis.call('ZREM', KNOWN[name], user)
  end
end

local function sort_out(d)
  take_over(d)
  return close(d)
end
local drafts = {}
for _, d in ipairs(opened) do
  local done_well, at = guarded(sort_out, d)
  local stays = at
  if of_gate then stays = d.keeps and d.keeps[name] end
  if stays or not done_well then left = left + 1 end
  if done_well then drafts[#drafts + 1] = d end
end
write(drafts)
post()
return answer_once({ looked = #users, left = left })
