-- A page of changes arrives, with its invalid counts and the feed's cursor.
--
-- KEYS    those of mailbox.lua, then KEYS[8] arrivals, KEYS[9] cursors, KEYS[10] runs, due:<pool> of the page
-- ARGV[1] pool   ARGV[2] run   ARGV[3] priority   ARGV[4] invalid units   ARGV[5] rows read   ARGV[6] rows faulty
-- ARGV[7] changes, JSON: [{user, username, units: [{name, ordinal?, digest, body, there?}]}]
-- ARGV[8] cursor from, ARGV[9] cursor to: both absent for direct changes
-- Output  JSON {accepted, cursor, ahead, waiting?: [user]}; blank where there is no such run
local seen = redis.call('GET', ONCE)
if seen then return seen end

local ARRIVALS, CURSORS, RUNS = KEYS[8], KEYS[9], KEYS[10]
local pool, run, priority = ARGV[1], ARGV[2], tonumber(ARGV[3])

if redis.call('HEXISTS', RUNS, run) == 0 then return '' end

local cursor = redis.call('HGET', CURSORS, run) or ''
if ARGV[8] then
  if cursor ~= ARGV[8] then return cjson.encode({ accepted = false, cursor = cursor, ahead = 0 }) end
  cursor = ARGV[9]
  redis.call('HSET', CURSORS, run, cursor)
end

local changes = cjson.decode(ARGV[7])
local count = 0
for _, change in ipairs(changes) do count = count + #change.units end
local arrival = 0
if count > 0 then arrival = redis.call('INCRBY', ARRIVALS, count) - count end

-- True where the value is known to be there: then no call and no place in the mailbox is spent on it.
local function is_there(d, wanted, held)
  local name, applied = wanted.name, d.ledger[wanted.name]
  -- A flag waits its turn: an address that comes with it may take it away.
  if CONTACT_OF[name] or is_stale(d, name, held) then return false end
  if applied then
    if applied.digest == '' or applied.digest ~= held.digest then return false end
  elseif wanted.there ~= true then
    return false
  end
  local flying = d.mailbox.claim and d.mailbox.claim.units or {}
  local function is_quiet(touched)
    return not (d.mailbox.pending[touched] or flying[touched] or d.mailbox.suspects[touched] or d.mailbox.unknown[touched])
  end
  return is_quiet(name) and (not FLAG_OF[name] or is_quiet(FLAG_OF[name]))
end

local ahead, waits = 0, {}
for _, change in ipairs(changes) do
  local d = draft(change.user, { pool = pool, username = change.username, priority = priority })
  for _, wanted in ipairs(change.units) do
    arrival = arrival + 1
    local ordinal = wanted.ordinal or string.format('%015.0f.%016.0f', NOW, 0)
    if is_too_far_ahead(ordinal) then
      ahead = ahead + 1
    else
      local held = {
        version = string.format('%s.%016.0f', ordinal, arrival), digest = wanted.digest, body = wanted.body, run = run,
        attempts = 0, faults = 0, deaths = 0, notBefore = 0,
      }
      -- Somebody else changed it: that it was sent once says nothing any more.
      if wanted.there == false then blank(d, wanted.name) end
      if is_there(d, wanted, held) then
        enter(d, wanted.name, held.version, held.digest)
        book(run, 'unchanged', 1)
      else
        place(d, wanted.name, held)
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
redis.call('HSETNX', POOLS, pool, 0)
return answer_once({ accepted = true, cursor = cursor, ahead = ahead, waiting = #waiting > 0 and waiting or nil })
