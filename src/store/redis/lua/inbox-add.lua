-- Batches of events arrive, one after the other. What is sent again finds what it added the first time. An entry is given as
-- many arrivals as its body has bytes.
--
-- KEYS[1] arrivals, then those of inbox.lua
-- ARGV[1] how long an event is known, in ms; then for each batch: most entries, most bytes, how many entries it has, and
--         four for each: id, feed as JSON, not before in epoch ms or blank, body
-- Output  a list: the time in epoch ms; then for each batch `full`, or for each entry `+` and its arrival, or `-` and when
--         its event arrived before, with blanks between them
local now, repeat_ms = now_ms(), tonumber(ARGV[1])
local there, bytes
local known, fresh, answers = {}, {}, {}

-- When the event arrived that is known by this id.
local function first_at(id)
  if known[id] then return known[id] end
  local score = redis.call('ZSCORE', SEEN, id)
  if score and tonumber(score) > now - repeat_ms then return tonumber(score) end
  local entry = redis.call('HEXISTS', INBOX, id) == 1 and read_entry(id)
  return entry and entry.arrivedAt or nil
end

local n = 2
while ARGV[n] do
  local most_entries, most_bytes, count = tonumber(ARGV[n]), tonumber(ARGV[n + 1]), tonumber(ARGV[n + 2])
  local more, more_bytes, admitted, is_new = {}, 0, {}, {}
  n = n + 3
  for at = n, n + 4 * (count - 1), 4 do
    local id = ARGV[at]
    local before = first_at(id) or is_new[id] and now
    if before then
      admitted[#admitted + 1] = string.format('-%.0f', before)
    else
      is_new[id] = true
      more[#more + 1] = at
      more_bytes = more_bytes + #ARGV[at + 3]
      -- It is given its arrival below.
      admitted[#admitted + 1] = at
    end
  end
  n = n + 4 * count
  there, bytes = there or waiting_entries(), bytes or inbox_count('bytes')
  if #more > 0 and (there + #more > most_entries or bytes + more_bytes > most_bytes) then
    answers[#answers + 1] = 'full'
  else
    for id in pairs(is_new) do known[id] = now end
    for _, at in ipairs(more) do fresh[#fresh + 1] = at end
    there, bytes = there + #more, bytes + more_bytes
    answers[#answers + 1] = admitted
  end
end

-- Some hundreds at a time, because no call takes any number of arguments.
local PART = 500
local arrivals = {}
local arrival
local function write(from, to)
  local bodies, entries, line, ahead, seen = {}, {}, {}, {}, {}
  for index = from, to do
    local at = fresh[index]
    local id, body, not_before = ARGV[at], ARGV[at + 3], tonumber(ARGV[at + 2])
    local waits = not_before and not_before > now and string.format('%.0f', not_before)
    arrivals[at] = string.format('%.0f', arrival + 1)
    arrival = arrival + math.max(1, #body)
    local n, places = 2 * (index - from), waits and ahead or line
    bodies[n + 1], bodies[n + 2] = id, body
    entries[n + 1], entries[n + 2] = id, string.format(
      '{"arrival":"%s","arrivedAt":%.0f,"feed":%s%s}',
      arrivals[at], now, ARGV[at + 1], waits and ',"notBefore":' .. waits or ''
    )
    seen[n + 1], seen[n + 2] = string.format('%.0f', now), id
    places[#places + 1] = waits or arrivals[at]
    places[#places + 1] = id
    count_inbox('bytes', #body)
  end
  redis.call('HSET', BODIES, unpack(bodies))
  redis.call('HSET', INBOX, unpack(entries))
  if #line > 0 then redis.call('ZADD', LINE, unpack(line)) end
  if #ahead > 0 then redis.call('ZADD', AHEAD, unpack(ahead)) end
  redis.call('ZADD', SEEN, unpack(seen))
end
if #fresh > 0 then
  local count = 0
  for _, at in ipairs(fresh) do count = count + math.max(1, #ARGV[at + 3]) end
  arrival = give_arrivals(KEYS[1], count)
  for from = 1, #fresh, PART do write(from, math.min(#fresh, from + PART - 1)) end
  -- More than is added goes, as long as there is any: so what is known stays as much as it must.
  local old = redis.call('ZRANGEBYSCORE', SEEN, '-inf', string.format('%.0f', now - repeat_ms), 'LIMIT', 0, math.min(2 * #fresh, 2 * PART))
  if #old > 0 then redis.call('ZREM', SEEN, unpack(old)) end
end
post_inbox()

local reply = { string.format('%.0f', now) }
for _, answer in ipairs(answers) do
  if answer == 'full' then
    reply[#reply + 1] = answer
  else
    for place, one in ipairs(answer) do
      if arrivals[one] then answer[place] = '+' .. arrivals[one] end
    end
    reply[#reply + 1] = table.concat(answer, ' ')
  end
end
return reply
