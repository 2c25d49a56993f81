-- When a mailbox is due, and how drafts are written: behind placing.lua. Nobody touches a draft that is closed.

-- When a pending unit may go, in epoch ms: a flag not before the contact that it speaks of. Never, behind a gate.
local function may_go_at(pending, name, unit)
  local contact = CONTACT_OF[name] and pending[CONTACT_OF[name]]
  if unit.gate or (contact and contact.gate) then return math.huge end
  return math.max(unit.notBefore, contact and contact.notBefore or 0)
end

-- True where the unit is of these runs, or is the contact that a flag of these runs waits for.
local function is_of(runs, pending, name)
  if not runs or runs[pending[name].run] then return true end
  local flag = FLAG_OF[name] and pending[FLAG_OF[name]]
  return flag and runs[flag.run] or false
end

-- When the mailbox wants to be looked at next, in epoch ms; never, where gates keep everything, or nothing is of these
-- runs.
local function due_at(mailbox, runs)
  if mailbox.claim then return mailbox.claim.leaseUntil end
  local at = math.huge
  for name, unit in pairs(mailbox.pending) do
    if is_of(runs, mailbox.pending, name) then at = math.min(at, may_go_at(mailbox.pending, name, unit)) end
  end
  if at < math.huge then return at end
  local over
  for _, abandoned in pairs(mailbox.abandonedCalls) do over = math.max(over or 0, abandoned['until']) end
  for _, unresolved in pairs(mailbox.unresolvedCalls) do over = math.max(over or 0, unresolved['until']) end
  return over or at
end

local function close_ledger(d)
  if d.ledger_changed then d.ledger_text = cjson.encode(d.ledger) end
end

-- Applies the gates, forgets what has expired, and makes the draft ready for `write`: it is nobody's from here on. Answers
-- when the mailbox is due, or nil where it is not: nothing is left in it, or nothing of these runs, or gates keep it.
local function close(d, runs)
  local mailbox = d.mailbox
  apply_gates(d)
  for name, abandoned in pairs(mailbox.abandonedCalls) do
    if abandoned['until'] <= NOW then mailbox.abandonedCalls[name] = nil end
  end
  for name in pairs(mailbox.lastSettled) do
    if not has_abandoned_call(d, name) then mailbox.lastSettled[name] = nil end
  end
  for name, unresolved in pairs(mailbox.unresolvedCalls) do
    if unresolved['until'] <= NOW then mailbox.unresolvedCalls[name] = nil end
  end
  close_ledger(d)
  if not mailbox.claim and is_empty(mailbox.pending) and is_empty(mailbox.abandonedCalls) and is_empty(mailbox.unresolvedCalls) then
    d.ended = d.existed
    return nil
  end
  local at = due_at(mailbox)
  local wanted = runs and due_at(mailbox, runs) or at
  d.keeps = gates_in(mailbox)
  d.is_due = at < math.huge
  d.at_once = at <= 0
  if d.is_due then d.score = string.format('%.0f', d.at_once and NOW or at) end
  d.text = cjson.encode(slim(mailbox))
  return wanted < math.huge and wanted or nil
end

-- Writes the documents and the due sets of closed drafts, each of another user. What a full server refuses comes first:
-- once a script has written, nothing is refused any more.
local function write(drafts)
  local ledgers, mailboxes, ended = {}, {}, {}
  for _, d in ipairs(drafts) do
    if d.ledger_text then
      ledgers[#ledgers + 1] = d.user
      ledgers[#ledgers + 1] = d.ledger_text
    end
    if d.text then
      mailboxes[#mailboxes + 1] = d.user
      mailboxes[#mailboxes + 1] = d.text
    elseif d.ended then
      ended[#ended + 1] = d.user
    end
  end
  if #ledgers > 0 then redis.call('HSET', LEDGER, unpack(ledgers)) end
  if #mailboxes > 0 then redis.call('HSET', MAILBOXES, unpack(mailboxes)) end
  if #ended > 0 then redis.call('HDEL', MAILBOXES, unpack(ended)) end
  for _, d in ipairs(drafts) do
    local due = d.mailbox and KNOWN[d.mailbox.pool]
    local keeps = d.text and d.keeps or {}
    -- Also where it was kept before: the store may have lost its place.
    for gate in pairs(keeps) do redis.call('ZADD', KEPT, 0, gate .. '\0' .. d.user) end
    if d.text or d.ended then
      for gate in pairs(d.kept_by) do
        if not keeps[gate] then redis.call('ZREM', KEPT, gate .. '\0' .. d.user) end
      end
    end
    if d.ended or (d.text and not d.is_due) then
      redis.call('ZREM', due, d.user)
    elseif d.text and d.at_once then
      -- "At once" keeps its place in the queue: the user who has waited longest goes first.
      redis.call('ZADD', due, 'LT', d.score, d.user)
    elseif d.text then
      redis.call('ZADD', due, d.score, d.user)
    end
  end
end

local function finish(d)
  local at = close(d)
  write({ d })
  return at
end
