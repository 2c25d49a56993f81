-- Users that are due, oldest first, for the one who holds the sweep's lease.
--
-- KEYS[1] sweep:<pool>   KEYS[2] due:<pool>   KEYS[3] mailboxes   KEYS[4] runs
-- ARGV[1] holder   ARGV[2] lease in ms   ARGV[3] offset   ARGV[4] limit
-- Output  JSON {due?: [{user, priority, dueAt, runs?}]}; without `due` where another holds the lease or nobody is due
local now = now_ms()
-- The end is in the value too: a lease ends by this clock, and its expiry only tidies up.
local lease_until, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(.*)$')
if holder and holder ~= ARGV[1] and tonumber(lease_until) > now then return '{}' end
redis.call('SET', KEYS[1], string.format('%.0f|%s', now + tonumber(ARGV[2]), ARGV[1]), 'PX', ARGV[2])

local users = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'WITHSCORES', 'LIMIT', ARGV[3], ARGV[4])
local pool, due = string.match(KEYS[2], 'due:(.*)$'), {}
for i = 1, #users, 2 do
  local user, due_at = users[i], math.max(0, tonumber(users[i + 1]))
  local document = redis.call('HGET', KEYS[3], user)
  local mailbox = document and sound('mailbox', user, document)
  if not mailbox or mailbox.pool ~= pool then
    if document then set_aside('mailbox', KEYS[3], user, document, pool, KEYS[4]) end
    redis.call('ZREM', KEYS[2], user)
  else
    local runs, listed = {}, {}
    local function add_runs(units)
      for _, unit in pairs(units) do
        if not listed[unit.run] then runs[#runs + 1] = unit.run end
        listed[unit.run] = true
      end
    end
    add_runs(mailbox.pending)
    add_runs(mailbox.claim and mailbox.claim.units or {})
    due[#due + 1] = { user = user, priority = mailbox.priority, dueAt = due_at, runs = #runs > 0 and runs or nil }
  end
end
return cjson.encode({ due = #due > 0 and due or nil })
