-- The state machine of core/mailbox.ts in Lua: prepended to put, claim-and-settle, replay and discard. Function by
-- function the same as there; test/store/mailbox-model.test.ts compares the two step by step. Lua tables have no
-- order: where it matters the script makes its own, and `place` gives the same end whichever of two units comes first.
--
-- The rule's numbers and the names of flags and contacts are core's: scripts.ts sets them above this file.
--
-- Versions are fixed-width digits, so `<` on them is version order in any locale that Redis may collate by.
--
-- KEYS[1] mailboxes  KEYS[2] ledger  KEYS[3] books  KEYS[4] letters  KEYS[5] letter-times  KEYS[6] pools
-- KEYS[7] runs  KEYS[8] gates  KEYS[9] kept  KEYS[10] once:<token>, what this very call answered before; then the
--         script's own; then due:<pool>, one for each pool that the caller knows. A script, or a step of one, that meets another pool answers
--         {"missing_pool_key":"<pool>"} before it has written anything, and is asked for again with that pool's key as
--         well: so every key is declared.
local MAILBOXES, LEDGER, BOOKS, LETTERS, LETTER_TIMES, POOLS, RUNS, GATES, KEPT, ONCE = unpack(KEYS, 1, 10)
local NOW = now_ms()

-- How long an answer is kept for a call that the client sends again after a reconnect.
local ONCE_MS = 5 * 60000

local DUE = string.sub(MAILBOXES, 1, -#'mailboxes' - 1) .. 'due:'
local KNOWN = {}
for i = 11, #KEYS do
  if string.sub(KEYS[i], 1, #DUE) == DUE then KNOWN[string.sub(KEYS[i], #DUE + 1)] = KEYS[i] end
end

local function missing_pool_key(pool)
  return cjson.encode({ missing_pool_key = pool })
end

-- Whether what belongs to a run may be sent: `open`, `cancelled`, or `closed` with the gate's name. As core/gate.ts says.
local OPEN = { is = 'open' }
local passages = {}
local has_gates
local function passage_of(run)
  if has_gates == nil then has_gates = redis.call('EXISTS', GATES) == 1 end
  if not has_gates then return OPEN end
  if passages[run] then return passages[run] end
  passages[run] = OPEN
  local text = redis.call('HGET', RUNS, run)
  if text then
    local stored = cjson.decode(text)
    local names = { 'run:' .. run, 'all', 'pool:' .. stored.pool, 'feed:' .. stored.feed }
    for n, gate in ipairs(redis.call('HMGET', GATES, unpack(names))) do
      if gate then
        local is_cancelled = cjson.decode(gate).state == 'cancelled'
        passages[run] = is_cancelled and { is = 'cancelled' } or { is = 'closed', gate = names[n] }
        break
      end
    end
  end
  return passages[run]
end
local function is_cancelled(run)
  return passage_of(run).is == 'cancelled'
end

local function answer_once(reply)
  local text = cjson.encode(reply)
  redis.call('SET', ONCE, text, 'PX', ONCE_MS)
  return text
end

-- Movements in the books are gathered and posted together at the end of a script.
local moves = {}
local function book(run, term, by)
  moves[run .. '|' .. term] = (moves[run .. '|' .. term] or 0) + by
  moves['|' .. term] = (moves['|' .. term] or 0) + by
end
local function post()
  for field, by in pairs(moves) do
    if by ~= 0 then redis.call('HINCRBY', BOOKS, field, string.format('%.0f', by)) end
  end
end

-- Runs an act of one user's documents. What is wrong with them fails that act alone: nothing of it is booked.
local function guarded(act, ...)
  local posted = moves
  moves = {}
  local done_well, answer, more = pcall(act, ...)
  local own = moves
  moves = posted
  if done_well then
    for field, by in pairs(own) do moves[field] = (moves[field] or 0) + by end
  end
  return done_well, answer, more
end

local function take(record, name)
  local value = record[name]
  record[name] = nil
  return value
end

local function ordinal_of(version)
  return string.sub(version, 1, TIME_DIGITS + 1 + COUNT_DIGITS)
end

local function is_too_far_ahead(ordinal)
  return tonumber(string.sub(ordinal, 1, TIME_DIGITS)) > NOW + MAX_LEAD_MS
end

-- The gates that keep something in a mailbox, as a set.
local function gates_in(mailbox)
  local gates = {}
  for _, unit in pairs(mailbox and mailbox.pending or {}) do
    if unit.gate then gates[unit.gate] = true end
  end
  return gates
end

-- A user's documents, as they were read, as a draft: without a mailbox where there is none.
local function open(user, document, ledger)
  local d = { user = user, read = document, existed = document and true or false, ledger_changed = false }
  d.ledger = ledger and cjson.decode(ledger) or {}
  if document then d.mailbox = inflate(cjson.decode(document)) end
  d.kept_by = gates_in(d.mailbox)
  return d
end

local function empty_mailbox(owner)
  return {
    pool = owner.pool, username = owner.username, priority = owner.priority,
    pending = {}, abandonedCalls = {}, lastSettled = {}, overwritten = {}, unresolvedCalls = {},
  }
end

-- The same, read here; `owner` names the user where there is no mailbox yet.
local function draft(user, owner)
  local d = open(user, redis.call('HGET', MAILBOXES, user), redis.call('HGET', LEDGER, user))
  if d.mailbox then
    d.mailbox.priority = math.min(d.mailbox.priority, owner.priority)
  else
    d.mailbox = empty_mailbox(owner)
  end
  return d
end

-- A value that was found there, or is taken for there.
local function unchanged_by(unit)
  return { run = unit.run, outcome = 'unchanged', settledAt = NOW }
end

-- What the ledger has of a unit from here on. `at`: a call of ours may have changed it then; the last such time stays.
-- `account`: the account that has the value, blank where nobody looked; unless given, the one from before, and so is
-- `ending`.
local function enter(d, name, version, digest, at, account, ending)
  local before = d.ledger[name] or {}
  if not at or (before.at and before.at > at) then at = before.at end
  account = account or before.account
  ending = ending or before
  d.ledger[name] = {
    version = version, digest = digest, at = at, account = account ~= '' and account or nil,
    run = ending.run, outcome = ending.outcome, settledAt = ending.settledAt, fencedOver = ending.fencedOver,
  }
  d.ledger_changed = true
end

-- The flag of a contact, the contact of a flag.
local function other_of(name)
  return FLAG_OF[name] or CONTACT_OF[name]
end

-- Marks the value that is there as unknown to the ledger.
local function blank(d, name, at)
  if name and d.ledger[name] then enter(d, name, d.ledger[name].version, '', at) end
end

-- A look found the value there: it stays poolsync's own where it was the last that poolsync wrote.
local function enter_seen(d, name, unit, was_last, account)
  local digest = was_last and not FLAG_OF[name] and unit.digest or ''
  enter(d, name, unit.version, digest, nil, account or unit.account, unchanged_by(unit))
end

-- True where the ledger is taken for the pool.
local function is_believed(entry, digest)
  if not entry or not entry.at or digest == '' or entry.digest ~= digest then return false end
  return entry.at <= NOW and NOW - entry.at < BELIEVED_MS
end

-- Of two reasons not to send the same value, the one that skips less.
local function stricter(one, other)
  if not one or not other then return nil end
  return one == 'there' and one or other
end

-- The value may have been written without an answer: the ledger takes its version. `till`: the call may still come
-- then.
local function fence_version(d, name, unit, till)
  local applied, version = d.ledger[name], unit.version
  local newest = applied and applied.version > version and applied.version or version
  local is_again = applied and applied.version == version
  local over = is_again and applied.fencedOver or applied and applied.version or ''
  local ending = { run = unit.run, outcome = 'unresolved', settledAt = NOW, fencedOver = over }
  enter(d, name, newest, '', till, unit.account or '', ending)
  blank(d, other_of(name), till)
end

-- The version from before a call of this value that nobody heard of; nil where there was none.
local function fence_of(d, name, unit)
  local entry = d.ledger[name]
  if entry and entry.version == unit.version then return entry.fencedOver end
  return unit.fencedOver
end

-- Values of cancelled runs that may have been written without an answer are never sent again, and what they superseded
-- is: that is stale only for what the ledger had before all of them. `line`: a value and what it superseded, the newest
-- first.
local function lift_fences(d, name, line)
  local entry = d.ledger[name]
  if not entry then return end
  local function is_at(version)
    for _, one in ipairs(line) do
      if one.version == version then return one end
    end
  end
  local version = entry.version
  local unit = is_at(version)
  while unit and is_cancelled(unit.run) do
    local before = fence_of(d, name, unit)
    if not before then break end
    local abandoned = d.mailbox.abandonedCalls[name]
    if abandoned and (abandoned.unwanted or '') < version then abandoned.unwanted = version end
    version = before
    unit = is_at(version)
  end
  if version == entry.version then return end
  local kept = is_at(version)
  entry.version = version == '' and line[#line].version or version
  entry.fencedOver = kept and kept.fencedOver or nil
  d.ledger_changed = true
end

-- Until when a value waits for unresolved calls: those of a different value, and those of its contact or flag.
local function cooldown_until(d, name, digest)
  local unresolved = d.mailbox.unresolvedCalls[name]
  local other_unresolved = other_of(name) and d.mailbox.unresolvedCalls[other_of(name)]
  return math.max(unresolved and unresolved.digest ~= digest and unresolved['until'] or 0, other_unresolved and other_unresolved['until'] or 0)
end

-- A call is unresolved: what is pending waits for it. A blank digest stands for any value.
local function start_cooldown(d, name, digest)
  local pending, unresolvedCalls = d.mailbox.pending, d.mailbox.unresolvedCalls
  local before = unresolvedCalls[name]
  local mixed = before and before['until'] > NOW and before.digest ~= digest
  unresolvedCalls[name] = { digest = mixed and '' or digest, ['until'] = NOW + COOLDOWN_MS }
  local function wait(touched)
    local waiting = touched and pending[touched]
    if waiting then waiting.notBefore = math.max(waiting.notBefore, cooldown_until(d, touched, waiting.digest)) end
  end
  wait(name)
  wait(other_of(name))
end

-- True where a call that was given up may still change the unit: one for itself, its contact or its flag.
local function has_abandoned_call(d, name)
  local other = other_of(name)
  return d.mailbox.abandonedCalls[name] ~= nil or (other ~= nil and d.mailbox.abandonedCalls[other] ~= nil)
end

-- Books a unit as done, and keeps it where an abandoned call may yet undo it; `unit` is the caller's no longer.
local function done(d, name, unit, term)
  book(unit.run, term, 1)
  if has_abandoned_call(d, name) then
    unit.term = term
    unit.replaced = nil
    d.mailbox.lastSettled[name] = unit
  end
end

-- The unit with the name of the gate that keeps it, if one does.
local function behind(unit)
  local passage = passage_of(unit.run)
  unit.gate = passage.is == 'closed' and passage.gate or nil
  return unit
end

-- Sends again what was kept, unless something newer is on its way.
local function resend(d, name)
  local mailbox = d.mailbox
  if mailbox.pending[name] or (mailbox.claim and mailbox.claim.units[name]) then return end
  local last = take(mailbox.lastSettled, name)
  local applied = d.ledger[name]
  if not last or (applied and applied.version > last.version) then return end
  book(last.run, take(last, 'term'), -1)
  book(last.run, 'pending', 1)
  last.attempts, last.faults, last.deaths, last.notBefore = 0, 0, 0, cooldown_until(d, name, last.digest)
  mailbox.pending[name] = behind(last)
  -- Writing an address takes its flag away, so what the flag was set to goes after it.
  if FLAG_OF[name] then resend(d, FLAG_OF[name]) end
end

-- True where the ledger has something newer of the unit, or of the contact that it speaks of.
local function is_stale(d, name, unit)
  local applied = d.ledger[name]
  local contact_applied = CONTACT_OF[name] and d.ledger[CONTACT_OF[name]]
  local function overtakes(entry)
    return entry and unit.version < entry.version and not came_before(entry.account, unit.account)
  end
  return overtakes(applied) or overtakes(contact_applied)
end

local function yields_to(unit, other)
  if unit.version <= other.version then return true end
  return unit.digest == other.digest and ordinal_of(unit.version) == ordinal_of(other.version)
end

local function supersede(pending, name)
  local loser = take(pending, name)
  book(loser.run, 'pending', -1)
  book(loser.run, 'superseded', 1)
end

-- The unit keeps what it superseded: its own from before, the loser, and the loser's. Of each other run the newest, the
-- newest first.
local function replace(d, name, unit, loser)
  if not loser then return end
  local all = { loser }
  for _, one in ipairs(unit.replaced or {}) do all[#all + 1] = one end
  for _, one in ipairs(loser.replaced or {}) do all[#all + 1] = one end
  table.sort(all, function(a, b) return a.version > b.version end)
  local runs, kept = { [unit.run] = true }, {}
  for _, one in ipairs(all) do
    local over = fence_of(d, name, one)
    -- One of a cancelled run is kept for the fence that it left, and for nothing else.
    local is_wanted = over ~= nil or not is_cancelled(one.run)
    if not runs[one.run] and #kept < MOST_REPLACED and is_wanted then
      runs[one.run] = true
      kept[#kept + 1] = {
        version = one.version, digest = one.digest, body = one.body, run = one.run,
        sendUnless = one.sendUnless, account = one.account, fencedOver = over,
      }
    end
  end
  unit.replaced = #kept > 0 and kept or nil
end

local place

-- A unit of a cancelled run, which waits no more, is not sent. The value of another run that it superseded is.
local function discard(d, name, unit)
  book(unit.run, 'discarded', 1)
  local back, older
  local line = { unit }
  for _, one in ipairs(unit.replaced or {}) do
    line[#line + 1] = one
    if not is_cancelled(one.run) then
      if not back then back, older = one, {} else older[#older + 1] = one end
    end
  end
  if not back then return end
  lift_fences(d, name, line)
  book(back.run, 'superseded', -1)
  back.fencedOver = nil
  back.attempts, back.faults, back.deaths, back.notBefore = 0, 0, 0, 0
  back.replaced = #older > 0 and older or nil
  place(d, name, back)
end

-- Puts a value among the pending ones, against the gates, the ledger, what is pending and what is in flight; `unit` is
-- the caller's no longer.
function place(d, name, unit)
  local pending = d.mailbox.pending
  if is_cancelled(unit.run) then return discard(d, name, unit) end
  local flying = d.mailbox.claim and d.mailbox.claim.units or {}
  local contact, flag = CONTACT_OF[name], FLAG_OF[name]
  -- A value for an account that no longer exists, as from a dead claim or a letter, replaces no value of its successor.
  local function is_void_by(other)
    return other and came_before(unit.account, other.account)
  end
  if is_void_by(pending[name]) or is_void_by(flying[name]) then return book(unit.run, 'discarded', 1) end
  if is_stale(d, name, unit) then return book(unit.run, 'stale', 1) end
  if contact then
    local waits, flies = pending[contact], flying[contact]
    if (waits and waits.version > unit.version) or (flies and flies.version > unit.version) then
      return book(unit.run, 'superseded', 1)
    end
  end
  -- What is pending is newer than what is in flight: a value equal to the older of the two may still be the newest.
  local waiting = pending[name]
  -- The change that ends here asked for the very same value, so the stricter condition of the two holds from now on.
  local is_same = waiting and waiting.digest == unit.digest
  local strict
  if is_same then strict = stricter(waiting.sendUnless, unit.sendUnless) else strict = unit.sendUnless end
  local rival = waiting or flying[name]
  if rival and not came_before(rival.account, unit.account) and yields_to(unit, rival) then
    if is_same then waiting.sendUnless = strict end
    replace(d, name, rival, unit)
    return book(unit.run, 'superseded', 1)
  end
  unit.sendUnless = strict

  replace(d, name, unit, waiting)
  if waiting then supersede(pending, name) end
  if flag and pending[flag] and pending[flag].version < unit.version then supersede(pending, flag) end
  unit.notBefore = math.max(unit.notBefore, cooldown_until(d, name, unit.digest))
  pending[name] = behind(unit)
  book(unit.run, 'pending', 1)
end

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

-- What waits, as the gates stand now: what a cancelled run has put is discarded, and what a closed one keeps has its
-- name.
local function apply_gates(d)
  local pending = d.mailbox.pending
  local gone = {}
  for name, unit in pairs(pending) do
    if is_cancelled(unit.run) then gone[#gone + 1] = name else behind(unit) end
  end
  for _, name in ipairs(gone) do
    local unit = take(pending, name)
    book(unit.run, 'pending', -1)
    discard(d, name, unit)
  end
end

-- A look found that another account has the username now. What the ledger knows of the former account, and what waits
-- for it, is void. Where a call went by the username, its time tells which account it reached.
local function forget_former(d, account)
  for name, entry in pairs(d.ledger) do
    local is_former
    if entry.account then is_former = is_successor(account, entry.account)
    else is_former = entry.at and entry.at + CLOCKS_APART_MS < made_at(account) end
    if is_former then
      d.ledger[name] = nil
      d.ledger_changed = true
    end
  end
  local mailbox = d.mailbox
  for name, unit in pairs(mailbox.pending) do
    if unit.account and is_successor(account, unit.account) then
      mailbox.pending[name] = nil
      book(unit.run, 'pending', -1)
      book(unit.run, 'discarded', 1)
    end
  end
  for name, unit in pairs(mailbox.lastSettled) do
    if unit.account and is_successor(account, unit.account) then mailbox.lastSettled[name] = nil end
  end
end

-- Merges back the units of a claim whose lease has ended: its worker is dead, and its call may yet be applied.
local function take_over(d)
  local mailbox, dead = d.mailbox, d.mailbox.claim
  if not dead or dead.leaseUntil > NOW then return end
  mailbox.claim = nil
  mailbox.overwritten = {}
  for name, unit in pairs(dead.units) do
    book(unit.run, 'pending', -1)
    fence_version(d, name, unit, NOW + ABANDONED_CALL_MS)
    unit.deaths = unit.deaths + 1
    local abandoned = mailbox.abandonedCalls[name]
    mailbox.abandonedCalls[name] = { ['until'] = NOW + ABANDONED_CALL_MS, unwanted = abandoned and abandoned.unwanted }
    place(d, name, unit)
  end
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
    for gate in pairs(keeps) do
      if not d.kept_by[gate] then redis.call('ZADD', KEPT, 0, gate .. '\0' .. d.user) end
    end
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
