-- A worker says what became of some units of its claim; letters are written in the same step. With a token that is no
-- longer current nothing is booked but doubts.
--
-- KEYS    those of mailbox.lua
-- ARGV[1] user   ARGV[2] token   ARGV[3] lease in ms
-- ARGV[4] settlements in their order, JSON: [{name, is, version, …}]; `at` of a retry is whole ms from now
-- Output  JSON {late, doubted?, letters?, dueInMs?}, or {elsewhere}. Sent twice, the second time finds its
--         units settled: it answers what is left, and the letters of the first time.
local seen = redis.call('GET', ONCE)
if seen then return seen end

local user, token, lease_ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local settlements = cjson.decode(ARGV[4])
local existing = draft(user)
if existing.mailbox and not KNOWN[existing.mailbox.pool] then return elsewhere(existing.mailbox.pool) end

-- Answers the letter where the unit becomes one.
local function settle_unit(d, name, held, settlement)
  local mailbox = d.mailbox
  local doubted = take(mailbox.doubts, name) ~= nil
  if settlement.is == 'applied' or settlement.is == 'unchanged' then
    enter(d, name, held.version, doubted and '' or held.digest)
    -- An address that was settled a moment ago in the same claim has another flag now.
    if settlement.is == 'applied' then blank(d, other_of(name)) end
    if doubted then
      held.notBefore = 0
      place(d, name, held)
      return nil
    end
    book(held.run, settlement.is, 1)
    local suspect = mailbox.suspects[name]
    if suspect and suspect.version ~= held.version then mailbox.kept[name] = held end
    return nil
  end
  if settlement.is == 'retry' then
    if settlement.fateUnknown then
      mailbox.unknown[name] = { digest = held.digest, ['until'] = NOW + QUIET_MS }
      local waiting = mailbox.pending[name]
      if waiting and waiting.digest ~= held.digest then
        waiting.notBefore = math.max(waiting.notBefore, NOW + QUIET_MS)
      end
    end
    if settlement.counts == 'attempt' then held.attempts = held.attempts + 1 end
    if settlement.counts == 'fault' then held.faults = held.faults + 1 end
    held.notBefore = NOW + settlement.at
    place(d, name, held)
    return nil
  end
  if settlement.is ~= 'bury' then error('Expected a settlement to be applied, unchanged, retry or bury') end
  if mailbox.pending[name] and mailbox.pending[name].version > held.version then
    book(held.run, 'superseded', 1)
    return nil
  end
  book(held.run, 'dead', 1)
  return {
    id = settlement.letter, user = user, pool = mailbox.pool, username = mailbox.username, unit = name,
    kind = settlement.kind, reason = settlement.reason, version = held.version, run = held.run, digest = held.digest,
    body = held.body, buriedAt = NOW,
  }
end

local function settle_late(d)
  local mailbox = d.mailbox
  local doubted = {}
  for _, settlement in ipairs(settlements) do
    local name = settlement.name
    if settlement.is == 'applied' or (settlement.is == 'retry' and settlement.fateUnknown) then
      local applied = d.ledger[name]
      local flying = mailbox.claim and mailbox.claim.units[name]
      if flying and flying.version > settlement.version then
        mailbox.doubts[name] = settlement.version
        table.insert(doubted, name)
      elseif applied and applied.version > settlement.version then
        enter(d, name, applied.version, '')
        table.insert(doubted, name)
        local newest = take(mailbox.kept, name)
        if newest and not mailbox.pending[name] and not flying then
          newest.attempts, newest.faults, newest.deaths, newest.notBefore = 0, 0, 0, 0
          mailbox.pending[name] = newest
          book(newest.run, 'applied', -1)
          book(newest.run, 'pending', 1)
        end
      end
    end
  end
  return doubted
end

local late = not (existing.mailbox and existing.mailbox.claim and existing.mailbox.claim.token == token)
local d = existing
local doubted, letters = {}, {}
if late then
  if not d.mailbox then d = draft(user, { pool = '', username = '', priority = 0 }) end
  doubted = settle_late(d)
else
  local claim = d.mailbox.claim
  for _, settlement in ipairs(settlements) do
    local name = settlement.name
    local held = claim.units[name]
    if held and held.version == settlement.version then
      claim.units[name] = nil
      book(held.run, 'pending', -1)
      local letter = settle_unit(d, name, held, settlement)
      if letter then table.insert(letters, letter) end
    end
  end
  if is_empty(claim.units) then d.mailbox.claim = nil else claim.leaseUntil = NOW + lease_ms end
end

local at = finish(d)
for _, letter in ipairs(letters) do
  redis.call('HSET', LETTERS, letter.id, cjson.encode(letter))
  redis.call('ZADD', LETTER_TIMES, string.format('%.0f', NOW), letter.id)
  redis.call('HINCRBY', POOLS, letter.pool, 1)
end
post()
-- An empty table would be written as an object where a list is meant: it is left out.
local reply = {
  late = late,
  doubted = #doubted > 0 and doubted or nil,
  letters = #letters > 0 and letters or nil,
  dueInMs = at and math.max(0, at - NOW) or nil,
}
if #letters > 0 then return answer_once(reply) end
return cjson.encode(reply)
