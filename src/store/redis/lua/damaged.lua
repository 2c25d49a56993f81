-- Documents are read here, in every script: one that has not the form on which the scripts rely is set aside, and the
-- script goes on as if it was not there. documents.ts says the same of what is read outside of scripts.
--
-- The text goes to `damaged-texts`, and to `damaged` what kind of document it was, and where it lay. MADE_AT_DIGITS,
-- COUNT_DIGITS, VERSION_FORM, GATE_STATES and LAST_TIME_MS are set by scripts.ts.

-- Units and entries are looked at in every step: without a call or a list where none is needed.
local type, pairs = type, pairs

local function is_text(value)
  return type(value) == 'string'
end
local function is_number(value)
  -- What is no number, and what is infinite, fails a comparison. Times end here, too.
  return type(value) == 'number' and value >= -LAST_TIME_MS and value <= LAST_TIME_MS
end
local function may_be(is, value)
  return value == nil or is(value)
end
local function has_texts(record, names)
  for _, name in ipairs(names) do
    if type(record[name]) ~= 'string' then return false end
  end
  return true
end
-- An object by names, or a list, all of whose values are so.
local function each(is_key, is, record)
  if type(record) ~= 'table' then return false end
  for key, value in pairs(record) do
    if type(key) ~= is_key or not is(value) then return false end
  end
  return true
end

local function is_account(mark)
  return mark == nil or (type(mark) == 'string' and tonumber(string.sub(mark, 1, MADE_AT_DIGITS)) ~= nil)
end
local function is_version(version)
  return type(version) == 'string' and string.find(version, VERSION_FORM) ~= nil
end
local function is_value(unit)
  return type(unit) == 'table'
    and is_version(unit.version) and type(unit.digest) == 'string'
    and type(unit.body) == 'string' and type(unit.run) == 'string'
    and is_account(unit.account)
    and (unit.sendUnless == nil or unit.sendUnless == 'written' or unit.sendUnless == 'there')
    and (unit.fencedOver == nil or type(unit.fencedOver) == 'string')
    and (unit.gate == nil or type(unit.gate) == 'string')
end
local function has_replaced(unit)
  return unit.replaced == nil or each('number', is_value, unit.replaced)
end
local function is_unit(unit)
  return is_value(unit) and has_replaced(unit)
    and (unit.hasToken == nil or unit.hasToken == true)
    and (unit.attempts == nil or is_number(unit.attempts)) and (unit.faults == nil or is_number(unit.faults))
    and (unit.deaths == nil or is_number(unit.deaths)) and (unit.notBefore == nil or is_number(unit.notBefore))
end
local function is_settled(unit)
  return is_unit(unit) and (unit.term == 'applied' or unit.term == 'unchanged')
end
local function is_abandoned(call)
  return type(call) == 'table' and is_number(call['until']) and may_be(is_text, call.unwanted)
end
local function is_unresolved(call)
  return type(call) == 'table' and is_number(call['until']) and is_text(call.digest)
end
local function is_entry(entry)
  return type(entry) == 'table' and is_version(entry.version) and type(entry.digest) == 'string'
    and (entry.at == nil or is_number(entry.at)) and (entry.settledAt == nil or is_number(entry.settledAt))
    and is_account(entry.account)
    and (entry.run == nil or type(entry.run) == 'string')
    and (entry.fencedOver == nil or type(entry.fencedOver) == 'string')
    and (entry.writtenBy == nil or type(entry.writtenBy) == 'string')
    and (entry.outcome == nil or entry.outcome == 'unchanged' or entry.outcome == 'unresolved')
end
local function is_exception(exception)
  return type(exception) == 'table' and has_texts(exception, { 'kind', 'run', 'reason' })
    and is_number(exception.at) and may_be(is_number, exception.line)
end
local function is_claim(claim)
  return type(claim) == 'table' and is_text(claim.token) and is_number(claim.leaseUntil)
    and each('string', is_unit, claim.units) and (claim.sent == nil or each('number', is_text, claim.sent))
end
-- The name of a pool is a part of keys, and of answers that are read by a pattern.
local function is_pool(pool)
  return is_text(pool) and pool ~= '' and not string.find(pool, '[%c"\\/]')
end

local IS = {
  mailbox = function(mailbox)
    return is_pool(mailbox.pool) and is_text(mailbox.username) and is_number(mailbox.priority)
      and each('string', is_unit, mailbox.pending)
      and (mailbox.claim == nil or is_claim(mailbox.claim))
      and (mailbox.abandonedCalls == nil or each('string', is_abandoned, mailbox.abandonedCalls))
      and (mailbox.lastSettled == nil or each('string', is_settled, mailbox.lastSettled))
      and (mailbox.overwritten == nil or each('string', is_text, mailbox.overwritten))
      and (mailbox.unresolvedCalls == nil or each('string', is_unresolved, mailbox.unresolvedCalls))
  end,
  ledger = function(ledger)
    return each('string', is_entry, ledger)
  end,
  letter = function(letter, id)
    return letter.id == id and is_value(letter) and has_replaced(letter) and is_pool(letter.pool)
      and has_texts(letter, { 'user', 'username', 'unit', 'kind', 'reason' })
      -- A queue is named after it.
      and string.find(letter.kind, '^[a-z-]+$') ~= nil
      and may_be(is_text, letter.owner) and is_number(letter.buriedAt)
      and may_be(is_number, letter.times) and may_be(is_number, letter.first)
  end,
  run = function(run, id)
    return run.id == id and has_texts(run, { 'source', 'pool', 'feed', 'identity', 'state' })
      and is_number(run.asOf) and is_number(run.startedAt) and may_be(is_number, run.finishedAt)
  end,
  gate = function(gate)
    return GATE_STATES[gate.state] ~= nil and is_number(gate.since) and may_be(is_text, gate.by) and may_be(is_text, gate.reason)
  end,
  hold = function(hold)
    return has_texts(hold, { 'pool', 'scope', 'kind' })
      and is_number(hold.since) and is_number(hold.probeAt) and is_number(hold.probeEveryMs)
  end,
  exceptions = function(exceptions)
    return each('string', is_exception, exceptions)
  end,
  entry = function(entry)
    local taken, parked = entry.taken, entry.parked
    return is_text(entry.arrival) and string.find(entry.arrival, '^%d+$') ~= nil and #entry.arrival <= COUNT_DIGITS
      and is_text(entry.feed) and is_number(entry.arrivedAt) and may_be(is_number, entry.notBefore)
      and (taken == nil or (type(taken) == 'table' and is_text(taken.token) and is_number(taken.leaseUntil)))
      and (parked == nil or (type(parked) == 'table' and is_text(parked.reason) and is_number(parked.at)))
  end,
}

-- False where a number has overflowed, wherever it stands: the document could not be written again, and a script that
-- has begun to write must not fail.
local function is_writable(text, document)
  return not string.find(text, '[eE]%+?%d%d%d') or (pcall(cjson.encode, document))
end

-- The document of a text; nil where it is broken.
local function sound(kind, field, text)
  local is_json, document = pcall(cjson.decode, text)
  if is_json and type(document) == 'table' and IS[kind](document, field) and is_writable(text, document) then
    return document
  end
  return nil
end

-- Ids are times: none is given twice, though what had it was removed meanwhile.
local function shelve(kind, field, text, pool, run)
  local since = now_ms()
  local at = since
  while redis.call('HEXISTS', DAMAGED, string.format('%.0f', at)) == 1 do at = at + 1 end
  local id = string.format('%.0f', at)
  -- What a full server refuses comes first.
  redis.call('HSET', DAMAGED_TEXTS, id, text)
  redis.call('HSET', DAMAGED, id, cjson.encode({ kind = kind, place = field, since = since, pool = pool, run = run ~= '' and run or nil }))
  -- Its units are in the books still: see `reckon` of store/damaged.ts.
  if kind == 'mailbox' or kind == 'letter' or kind == 'counter' then redis.call('HSET', DAMAGED_TEXTS, 'owed', id) end
end

-- The first run that a text names, of those that are known.
local function run_in(text, runs)
  for run in string.gmatch(text, '"run":"([^"\\]+)"') do
    if redis.call('HEXISTS', runs, run) == 1 then return run end
  end
  return nil
end

-- `runs`, where it may name one.
local function set_aside(kind, key, field, text, pool, runs)
  shelve(kind, field, text, pool, runs and run_in(text, runs))
  redis.call('HDEL', key, field)
end

-- The document of a field's text. What is broken is set aside, and nil is answered.
local function read_document(kind, key, field, text, runs)
  local document = sound(kind, field, text)
  if not document then set_aside(kind, key, field, text, nil, runs) end
  return document
end

-- A gate that is broken lets nothing pass: it is a pause from here on. That of a run stands as the run does.
local function read_gate(gates, name, text, runs)
  local gate = sound('gate', name, text)
  if gate then return gate end
  shelve('gate', name, text)
  local run = runs and string.match(name, '^run:(.*)$')
  local stored = run and redis.call('HGET', runs, run)
  stored = stored and sound('run', run, stored)
  local state = 'paused'
  if stored then state = stored.state == 'cancelled' and 'cancelled' or stored.state == 'needs-approval' and 'waiting' or nil end
  if not state then
    redis.call('HDEL', gates, name)
    return nil
  end
  gate = { state = state, since = now_ms() }
  if state == 'paused' then gate.by, gate.reason = 'poolsync', 'the record of this pause is damaged' end
  redis.call('HSET', gates, name, cjson.encode(gate))
  return gate
end
