-- The state machine of core/mailbox.ts in Lua: its documents while a script changes them. Prepended, with ledger.lua,
-- placing.lua and closing.lua, to put, claim-and-settle, replay, discard, sort-out and release. Function by function the
-- same as in core; test/store/mailbox-model.test.ts compares the two step by step. Lua tables have no order: where it
-- matters the script makes its own.
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
  local stored = text and read_document('run', RUNS, run, text)
  local names = { 'run:' .. run, 'all' }
  if stored then
    names[3], names[4] = 'pool:' .. stored.pool, 'feed:' .. stored.feed
  else
    -- Nobody knows whose run it was: nothing of it passes while any feed or pool is paused.
    local closed = redis.call('HKEYS', GATES)
    table.sort(closed)
    for _, name in ipairs(closed) do
      if string.sub(name, 1, 5) == 'pool:' or string.sub(name, 1, 5) == 'feed:' then names[#names + 1] = name end
    end
  end
  for n, gate_text in ipairs(redis.call('HMGET', GATES, unpack(names))) do
    local gate = gate_text and read_gate(GATES, names[n], gate_text, RUNS)
    if gate then
      passages[run] = gate.state == 'cancelled' and { is = 'cancelled' } or { is = 'closed', gate = names[n] }
      break
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
    local was = by ~= 0 and redis.call('HGET', BOOKS, field)
    -- As they were before any of these moves: the books balance then.
    if is_broken(was) then mend_books(BOOKS, string.match(field, '^(.*)|')) end
  end
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

-- The gates that keep something in a mailbox, as a set: where one of them opens, something may go.
local function gates_in(mailbox)
  local gates = {}
  for _, unit in pairs(mailbox and mailbox.pending or {}) do
    if unit.gate then gates[unit.gate] = true end
    for _, one in ipairs(unit.replaced or {}) do
      if one.gate then gates[one.gate] = true end
    end
  end
  return gates
end

-- Sets a mailbox aside: the user is due no more, and no gate keeps them. Which pool it was of is said by the due sets.
local function set_aside_mailbox(user, text)
  local pool
  for name, due in pairs(KNOWN) do
    if redis.call('ZREM', due, user) == 1 then pool = name end
  end
  for _, gate in ipairs(redis.call('HKEYS', GATES)) do redis.call('ZREM', KEPT, gate .. '\0' .. user) end
  set_aside('mailbox', MAILBOXES, user, text, pool, RUNS)
end

-- The mailbox of a text, or nil where it is broken, or says that it is of another pool than the one given, or than the one
-- in whose due set the user is.
local function read_mailbox(user, text, pool)
  local mailbox = sound('mailbox', user, text)
  if mailbox and (not pool or mailbox.pool == pool) then
    local due = KNOWN[mailbox.pool]
    if not due or redis.call('ZSCORE', due, user) or not is_empty(gates_in(mailbox)) then return inflate(mailbox) end
  end
  set_aside_mailbox(user, text)
  return nil
end

-- A user's documents, as they were read, as a draft: without a mailbox where there is none. `pool`, where it is known.
local function open(user, document, ledger, pool)
  local mailbox = document and read_mailbox(user, document, pool) or nil
  local d = { user = user, read = document, mailbox = mailbox, existed = mailbox ~= nil, ledger_changed = false }
  d.ledger = ledger and read_document('ledger', LEDGER, user, ledger) or {}
  d.kept_by = gates_in(mailbox)
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
  local d = open(user, redis.call('HGET', MAILBOXES, user), redis.call('HGET', LEDGER, user), owner.pool)
  if d.mailbox then
    d.mailbox.priority = math.min(d.mailbox.priority, owner.priority)
  else
    d.mailbox = empty_mailbox(owner)
  end
  return d
end

local function set_aside_letter(id, text)
  set_aside('letter', LETTERS, id, text, nil, RUNS)
  redis.call('ZREM', LETTER_TIMES, id)
end

-- The letter of a text, or nil where it is broken.
local function read_letter(id, text)
  local letter = sound('letter', id, text)
  if not letter then set_aside_letter(id, text) end
  return letter
end
