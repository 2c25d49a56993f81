-- A page of changes arrives, with its invalid counts and the feed's cursor.
--
-- KEYS    those of mailbox.lua, then KEYS[11] arrivals, KEYS[12] cursors, due:<pool> of the page, and those of inbox.lua
-- ARGV[1] pool   ARGV[2] run   ARGV[3] priority   ARGV[4] invalid units   ARGV[5] rows read   ARGV[6] rows faulty
-- ARGV[7] changes, JSON: [{user, username, account?, arrival?, units: [{name, ordinal?, digest, body, sendUnless?, look?: {at, found},
--         overruled?}]}]
-- ARGV[8] entries of the inbox that are gone with it, JSON: {token, ids, parked?: [{id, reason, body}], kept?: [{id, body}]}, the
--         latter two parked, or still the drainer's, with another body; blank where there are none
-- ARGV[9] cursor from, ARGV[10] cursor to: both absent for direct changes
-- Output  JSON {accepted, cursor, ahead, stale?: [{user, name}], waiting?: [user], at, arrival}, the time and the arrival that the page's first unit
--         was given; blank where there is no such run, `cancelled` where it was cancelled, and `ended` where it
--         has ended and the page is of entries
local seen = redis.call('GET', ONCE)
if seen then return seen end

local ARRIVALS, CURSORS = KEYS[11], KEYS[12]
local pool, run, priority = ARGV[1], ARGV[2], tonumber(ARGV[3])

local stored = redis.call('HGET', RUNS, run)
stored = stored and read_document('run', RUNS, run, stored)
if not stored then return '' end
if is_cancelled(run) then return 'cancelled' end
if ARGV[8] ~= '' and stored.finishedAt then return 'ended' end

local cursor = redis.call('HGET', CURSORS, run) or ''
local function refused()
  return cjson.encode({ accepted = false, cursor = cursor, ahead = 0, at = NOW, arrival = 0 })
end
if ARGV[9] and cursor ~= ARGV[9] then return refused() end
local drained = ARGV[8] ~= '' and cjson.decode(ARGV[8]) or { ids = {} }
-- In one table: a script has room for 200 variables.
drained.entries, drained.rests = {}, {}
for _, id in ipairs(drained.ids) do
  drained.entries[id] = taken_entry(id, drained.token)
  if not drained.entries[id] then
    post_inbox()
    return refused()
  end
end
local changes = cjson.decode(ARGV[7])
local count = 0
for _, change in ipairs(changes) do count = count + #change.units end
-- With its entry the change would be gone, which may wait.
for _, change in ipairs(ARGV[8] ~= '' and changes or {}) do
  for _, desired in ipairs(change.units) do
    if desired.ordinal and is_too_far_ahead(desired.ordinal) then
      post_inbox()
      return refused()
    end
  end
end
if ARGV[9] then
  cursor = ARGV[10]
  redis.call('HSET', CURSORS, run, cursor)
end

local arrival = 0
if count > 0 then arrival = give_arrivals(ARRIVALS, count) end
local first = count > 0 and arrival + 1 or 0

-- What the look found, or nil where nobody looked, a call of poolsync's may have changed it since, or the list lagged:
-- it showed an account that another one has replaced.
local function found_by_look(d, desired, account)
  local look = desired.look
  if not look then return nil end
  local function wrote_since(touched)
    local entry = touched and d.ledger[touched]
    return entry and entry.at and entry.at >= look.at
  end
  if wrote_since(desired.name) or wrote_since(other_of(desired.name)) then return nil end
  local ours = d.ledger[desired.name] and d.ledger[desired.name].account
  if ours and account and is_successor(ours, account) then return nil end
  return look.found
end

-- True where nothing is under way that could change the unit, or its contact or flag, after this.
local function is_undisturbed(d, name)
  local mailbox = d.mailbox
  local flying = mailbox.claim and mailbox.claim.units or {}
  local function stirs(touched)
    return touched
      and (mailbox.pending[touched] or flying[touched] or mailbox.abandonedCalls[touched] or mailbox.unresolvedCalls[touched])
  end
  return not stirs(name) and not stirs(other_of(name))
end

-- Says how poolsync knows that the value is there, so that it spends no call and no place in the mailbox on it: `look`,
-- `ledger` or nil. A flag always waits its turn: an address that comes with it, or an older one, may take it away.
local function known_by(d, desired, found)
  local entry = d.ledger[desired.name]
  if CONTACT_OF[desired.name] then return nil end
  if found == 'there' then return 'look' end
  if found == 'awaiting' then return entry and entry.digest == desired.digest and 'ledger' or nil end
  if found == 'other' then return nil end
  local may_believe = desired.look or desired.sendUnless == 'written'
  return may_believe and is_believed(entry, desired.digest) and 'ledger' or nil
end

local ORDINAL = '%0' .. TIME_DIGITS .. '.0f.%0' .. COUNT_DIGITS .. '.0f'
local VERSION = '%s.%0' .. COUNT_DIGITS .. '.0f'
local ahead, waits, stale = 0, {}, {}
for _, change in ipairs(changes) do
  local d = draft(change.user, { pool = pool, username = change.username, priority = priority })
  apply_gates(d)
  if change.account then forget_former(d, change.account) end
  for _, desired in ipairs(change.units) do
    arrival = arrival + 1
    local ordinal = desired.ordinal or string.format(ORDINAL, NOW, 0)
    if is_too_far_ahead(ordinal) then
      ahead = ahead + 1
    elseif desired.overruled then
      book(run, 'superseded', 1)
    else
      local unit = {
        version = string.format(VERSION, ordinal, change.arrival or arrival), digest = desired.digest, body = desired.body, run = run,
        attempts = 0, faults = 0, deaths = 0, notBefore = 0, account = change.account, hasToken = desired.hasToken,
      }
      local name, found = desired.name, found_by_look(d, desired, change.account)
      if found ~= 'other' then unit.sendUnless = desired.sendUnless end
      -- Somebody else has changed the value since poolsync wrote it, so the ledger does not know it any more.
      if found == 'other' and d.ledger[name] and d.ledger[name].digest == unit.digest then blank(d, name) end
      local known = is_undisturbed(d, name) and not is_stale(d, name, unit) and known_by(d, desired, found)
      if known == 'look' then
        enter_seen(d, name, unit, d.ledger[name] and d.ledger[name].digest == unit.digest)
        book(run, 'unchanged', 1)
      elseif known then
        enter(d, name, unit.version, unit.digest, nil, unit.account, unchanged_by(unit))
        book(run, 'unchanged', 1)
      else
        local before = moves[run .. '|stale'] or 0
        place(d, name, unit)
        if (moves[run .. '|stale'] or 0) > before then stale[#stale + 1] = { user = change.user, name = name } end
      end
    end
  end
  if finish(d) then waits[change.user] = true end
end
-- In the order of the page, each user once.
local waiting = {}
for _, change in ipairs(changes) do
  if waits[change.user] then waiting[#waiting + 1] = change.user end
  waits[change.user] = nil
end

local invalid = tonumber(ARGV[4])
book(run, 'received', count + invalid)
book(run, 'invalid', ahead + invalid)
-- Rows stand outside the books' equation, and beside it in the hash.
book(run, 'rows-read', tonumber(ARGV[5]))
book(run, 'rows-faulty', tonumber(ARGV[6]))
post()
for _, rest in ipairs(drained.parked or {}) do drained.rests[rest.id] = rest end
for _, rest in ipairs(drained.kept or {}) do drained.rests[rest.id] = rest end
for id, entry in pairs(drained.entries) do
  count_waiting(entry, -1)
  if drained.rests[id] then
    redis.call('HSET', BODIES, id, drained.rests[id].body)
    entry.bytes = #drained.rests[id].body
    if drained.rests[id].reason then park_entry(id, entry, drained.rests[id].reason, NOW)
    else count_waiting(entry, 1) end
  else
    drop_entry(id)
  end
end
if next(drained.entries) then post_inbox() end
redis.call('HSETNX', POOLS, pool, 0)
return answer_once({
  accepted = true, cursor = cursor, ahead = ahead, at = NOW, arrival = first,
  stale = #stale > 0 and stale or nil, waiting = #waiting > 0 and waiting or nil,
})
