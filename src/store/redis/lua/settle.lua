-- A worker says what became of some units of its claim; letters are written in the same step. With a token that is no
-- longer current nothing is booked but doubts. Prepended to claim-and-settle.
--
-- `settlements` in their order: [{name, is, version, …}]; `at` of a retry is whole ms from now. Answers JSON: {late,
-- doubted?, letters?, dueInMs?, priority?}, or {missing_pool_key}. Said twice, the second time finds its units settled
-- and answers what is left.

-- What another run put of the same value, while this one was in flight, is there as well, unless something else may
-- change the unit before or after it.
local function settle_repeat(d, name, unit)
  local mailbox, other = d.mailbox, other_of(name)
  local again = mailbox.pending[name]
  if not again or not is_repeat(again, unit) or again.account ~= unit.account then return end
  if other and (mailbox.pending[other] or mailbox.claim.units[other]) then return end
  if is_cancelled(again.run) then return end
  mailbox.pending[name] = nil
  book(again.run, 'pending', -1)
  enter(d, name, again.version, d.ledger[name].digest, nil, nil, unchanged_by(again))
  done(d, name, again, 'unchanged')
end

-- Answers the letter where the unit becomes one. `was_last`: the ledger had this very value when it was claimed.
local function settle_unit(d, name, unit, settlement, was_last)
  local mailbox = d.mailbox
  -- An older address arrived after this flag was claimed. Writing that address resets the flag, so the flag goes again
  -- after it.
  local address = CONTACT_OF[name] and mailbox.pending[CONTACT_OF[name]]
  local is_for_another = address and address.version < unit.version
  local doubted = take(mailbox.overwritten, name) ~= nil or is_for_another
  if settlement.is == 'applied' or settlement.is == 'unchanged' then
    -- A late settle may have moved the ledger beyond what this claim wrote.
    local applied = d.ledger[name]
    local is_newer = applied and applied.version > unit.version and not came_before(applied.account, unit.account)
    local newer = is_newer and applied.version
    local unsure = newer or doubted
    if settlement.is == 'applied' then
      local digest = unsure and '' or unit.digest
      enter(d, name, newer or unit.version, digest, NOW, unit.account or '', { run = unit.run })
      -- An address that was settled a moment ago in the same claim has another flag now.
      blank(d, other_of(name), NOW)
    elseif unsure then
      enter(d, name, newer or unit.version, '', nil, settlement.account, unchanged_by(unit))
    elseif settlement.awaiting then
      enter(d, name, unit.version, unit.digest, nil, settlement.account, unchanged_by(unit))
    else
      enter_seen(d, name, unit, was_last, settlement.account)
    end
    if doubted then
      unit.notBefore = 0
      place(d, name, unit)
    else
      done(d, name, unit, settlement.is)
      if not newer then settle_repeat(d, name, unit) end
    end
    return nil
  end
  if settlement.is == 'retry' then
    if settlement.fateUnknown then
      start_cooldown(d, name, unit.digest)
      fence_version(d, name, unit, NOW + COOLDOWN_MS)
    elseif was_last and not doubted and not CONTACT_OF[name] then
      -- Nothing was written: the value that poolsync wrote last still is the last, and may await the person. Not so a
      -- flag, which its address may have reset in this very claim.
      enter(d, name, d.ledger[name] and d.ledger[name].version or unit.version, unit.digest)
    end
    if settlement.counts == 'attempt' then unit.attempts = unit.attempts + 1 end
    if settlement.counts == 'fault' then unit.faults = unit.faults + 1 end
    unit.notBefore = NOW + settlement.at
    place(d, name, unit)
    return nil
  end
  if settlement.is ~= 'bury' then error('Expected a settlement to be applied, unchanged, retry or bury') end
  if settlement.fateUnknown then
    start_cooldown(d, name, unit.digest)
    fence_version(d, name, unit, NOW + COOLDOWN_MS)
  end
  if is_cancelled(unit.run) then
    discard(d, name, unit)
    return nil
  end
  local rival, contact = mailbox.pending[name], mailbox.pending[CONTACT_OF[name] or name]
  local function overtakes(other)
    return other and other.version > unit.version and not came_before(unit.account, other.account)
  end
  if overtakes(rival) or overtakes(contact) then
    -- It fails again, and becomes a letter, where the run of the newer one is cancelled.
    if overtakes(rival) then replace(d, name, rival, unit) end
    book(unit.run, 'superseded', 1)
    return nil
  end
  -- An abandoned call may have been applied while this unit was on its way: then the value that was settled last is no
  -- longer there.
  resend(d, name)
  return {
    id = settlement.letter, user = d.user, pool = mailbox.pool, username = mailbox.username, unit = name,
    kind = settlement.kind, reason = settlement.reason, owner = settlement.owner, version = unit.version, run = unit.run, digest = unit.digest,
    body = settlement.body or unit.body, account = unit.account, replaced = unit.replaced, buriedAt = NOW,
  }
end

-- The letter of this id, where it is of this user and unit. One that says otherwise is set aside.
local function known_letter(d, id, unit)
  local text = redis.call('HGET', LETTERS, id)
  local letter = text and read_letter(id, text)
  if not letter then return nil end
  if letter.user == d.user and letter.pool == d.mailbox.pool and letter.unit == unit then return letter end
  set_aside_letter(id, text)
  return nil
end

-- Books a letter. `known`: the one that the same fault of the same unit has left before. Answers the letter that is to
-- be written; both are the caller's no longer.
local function book_letter(d, letter, known)
  if not known then
    book(letter.run, 'dead', 1)
    return letter
  end
  local newer, older = known, letter
  if letter.version > known.version then
    newer, older = letter, known
    book(known.run, 'dead', -1)
    book(letter.run, 'dead', 1)
  end
  book(older.run, 'superseded', 1)
  replace(d, letter.unit, newer, older)
  newer.times = (known.times or 1) + 1
  newer.first = known.first or known.buriedAt
  -- Whoever ends the letters of a cancelled run looks for those that were buried before.
  if not is_cancelled(newer.run) then newer.buriedAt = letter.buriedAt end
  return newer
end

local function settle_late(d, settlements)
  local mailbox = d.mailbox
  local doubted = {}
  local function doubt(name)
    for _, known in ipairs(doubted) do
      if known == name then return end
    end
    table.insert(doubted, name)
  end
  local flying_units = mailbox.claim and mailbox.claim.units or {}
  local function touch(name, version, till, is_unwanted)
    blank(d, name, till)
    local flying, applied = flying_units[name], d.ledger[name]
    if flying and (is_unwanted or flying.version > version) then
      mailbox.overwritten[name] = version
      doubt(name)
    elseif is_unwanted or (applied and applied.version > version) then
      doubt(name)
      resend(d, name)
    end
  end
  for _, settlement in ipairs(settlements) do
    local name, version = settlement.name, settlement.version
    local fate_unknown = (settlement.is == 'retry' or settlement.is == 'bury') and settlement.fateUnknown
    if settlement.is == 'applied' or fate_unknown then
      -- The call may be applied after whatever is sent next.
      if fate_unknown then start_cooldown(d, name, '') end
      local till = NOW + (fate_unknown and COOLDOWN_MS or 0)
      local before = d.ledger[name] and d.ledger[name].version or ''
      local abandoned = mailbox.abandonedCalls[name]
      local is_unwanted = before < version and version <= (abandoned and abandoned.unwanted or '')
      touch(name, version, till, is_unwanted)
      if other_of(name) then touch(other_of(name), version, till, is_unwanted) end
      if settlement.is == 'applied' and before < version and not is_unwanted then enter(d, name, version, '', NOW) end
    end
  end
  return doubted
end

-- Leaves in the draft the letters that are to be written with it.
local function settle(d, token, lease_ms, settlements, runs)
  if d.mailbox and not KNOWN[d.mailbox.pool] then return missing_pool_key(d.mailbox.pool) end
  local late = not (d.mailbox and d.mailbox.claim and d.mailbox.claim.token == token)
  local doubted, letters = {}, {}
  if late then
    if not d.mailbox then d.mailbox = empty_mailbox({ pool = '', username = '', priority = 0 }) end
    doubted = settle_late(d, settlements)
  else
    local claim = d.mailbox.claim
    local was_last = {}
    for _, name in ipairs(claim.sent or {}) do was_last[name] = true end
    for _, settlement in ipairs(settlements) do
      local name = settlement.name
      local unit = claim.units[name]
      if unit and unit.version == settlement.version then
        claim.units[name] = nil
        book(unit.run, 'pending', -1)
        local letter = settle_unit(d, name, unit, settlement, was_last[name])
        if letter then
          local known = known_letter(d, letter.id, name)
          table.insert(letters, { written = book_letter(d, letter, known), is_known = known ~= nil })
        end
      end
    end
    if is_empty(claim.units) then d.mailbox.claim = nil else claim.leaseUntil = NOW + lease_ms end
  end

  local at
  if d.existed then at = close(d, runs) else close_ledger(d) end
  local summaries = {}
  d.letters = {}
  for n, one in ipairs(letters) do
    local letter = one.written
    d.letters[n] = {
      id = letter.id, pool = letter.pool, buried_at = letter.buriedAt, text = cjson.encode(letter), is_known = one.is_known,
    }
    -- The answer is kept for a while: it says nothing of what is in the letter.
    summaries[n] = { id = letter.id, user = letter.user, unit = letter.unit, kind = letter.kind }
  end
  -- An empty table would be written as an object where a list is meant: it is left out.
  return cjson.encode({
    late = late,
    doubted = #doubted > 0 and doubted or nil,
    letters = #summaries > 0 and summaries or nil,
    dueInMs = at and math.max(0, at - NOW) or nil,
    priority = at and d.mailbox.priority or nil,
  })
end
