-- Which values of a draft wait, are done or are discarded: core/placing.ts in Lua, behind ledger.lua. `place` gives the
-- same end whichever of two units comes first.

-- Of two reasons not to send the same value, the one that skips less.
local function stricter(one, other)
  if not one or not other then return nil end
  return one == 'there' and one or other
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

-- True where both say the same, of the same time by the source's clock.
local function is_repeat(unit, other)
  return unit.digest == other.digest and ordinal_of(unit.version) == ordinal_of(other.version)
end

-- True where `unit` gives way to `other`, which waits or is in flight: to what is newer, to what says the same in its own
-- run, and, where a gate keeps it and not the other, to what says the same in another run.
local function yields_to(unit, other)
  if unit.version <= other.version then return true end
  if not is_repeat(unit, other) then return false end
  return unit.run == other.run or (passage_of(unit.run).is == 'closed' and passage_of(other.run).is == 'open')
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
  -- A user's token is kept no longer than the change waits itself.
  local all = {}
  if not loser.hasToken then all[1] = loser end
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

-- Where a gate keeps the unit, and another run that gave way to it says the same and is kept by none, the two runs change
-- places. Where other gates keep such runs, each is named.
local function pass_on(unit)
  local line = unit.replaced or {}
  for _, one in ipairs(line) do one.gate = nil end
  if not unit.gate then return end
  for _, one in ipairs(line) do
    local passage = passage_of(one.run)
    if passage.is ~= 'cancelled' then
      if not is_repeat(unit, one) or unit.account ~= one.account then return end
      if passage.is == 'open' then
        for _, other in ipairs(line) do other.gate = nil end
        book(unit.run, 'pending', -1)
        book(unit.run, 'superseded', 1)
        book(one.run, 'superseded', -1)
        book(one.run, 'pending', 1)
        unit.run, one.run, one.sendUnless, unit.gate = one.run, unit.run, unit.sendUnless, nil
        return
      end
      if passage.gate ~= unit.gate then one.gate = passage.gate end
    end
  end
end

-- What waits, as the gates stand now: what a cancelled run has put is discarded, and what a closed one keeps has its
-- name.
local function apply_gates(d)
  local pending = d.mailbox.pending
  local gone = {}
  for name, unit in pairs(pending) do
    if is_cancelled(unit.run) then gone[#gone + 1] = name end
  end
  for _, name in ipairs(gone) do
    local unit = take(pending, name)
    book(unit.run, 'pending', -1)
    discard(d, name, unit)
  end
  for _, unit in pairs(pending) do pass_on(behind(unit)) end
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
