-- What a draft's ledger has of a unit, and what follows from it: core/ledger.ts in Lua, behind mailbox.lua.

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
  local writer = before.writtenBy
  local is_theirs = not before.account or before.account == account
  if ending and (ending.outcome ~= 'unchanged' or not is_theirs) then writer = nil
  elseif ending and before.outcome ~= 'unchanged' then writer = before.run end
  ending = ending or before
  d.ledger[name] = {
    version = version, digest = digest, at = at, account = account ~= '' and account or nil,
    run = ending.run, outcome = ending.outcome, settledAt = ending.settledAt, fencedOver = ending.fencedOver,
    writtenBy = writer,
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

-- True where the ledger has something newer of the unit, or of the contact that it speaks of.
local function is_stale(d, name, unit)
  local applied = d.ledger[name]
  local contact_applied = CONTACT_OF[name] and d.ledger[CONTACT_OF[name]]
  local function overtakes(entry)
    return entry and unit.version < entry.version and not came_before(entry.account, unit.account)
  end
  return overtakes(applied) or overtakes(contact_applied)
end
