-- The rule of core/pace.ts in Lua: prepended to reserve, throttled and pace-view. Its numbers are those of core:
-- scripts.ts sets them above this file.
--
-- KEYS[1] saw:<bucket>   ARGV[1] ceiling in calls a second
-- State that is lost, or whose time has come, is made anew from the ceiling.
-- Far longer than a rate needs to come back; the last cut can be shown for as long.
local KEEP_MS = 60 * 60000
local FIELDS = { 'nextAt', 'urgentAt', 'capacity', 'granted', 'countedFrom', 'freshFrom', 'cutAt' }

local now, ceiling = now_exact(), tonumber(ARGV[1])

-- What is no number, or beyond all times, is lost.
local function number_of(text)
  local number = tonumber(text)
  return number and math.abs(number) <= LAST_TIME_MS and number or nil
end

-- The state without the lanes that are forgotten, and without times so far ahead that the clock must have gone back.
-- Answers it and the fleet's ceiling: the highest that somebody reserved with lately, or `least`.
local function load_pace(least)
  local s = {
    nextAt = now, urgentAt = now, capacity = ceiling, granted = 0, countedFrom = 0, freshFrom = 0, cutAt = 0,
    lanes = {}, forgotten = {},
  }
  local stored, top = redis.call('HGETALL', KEYS[1]), least
  for i = 1, #stored, 2 do
    local lane, value = string.match(stored[i], '^lane:(.+)$'), number_of(stored[i + 1])
    if not lane then
      if value and type(s[stored[i]]) == 'number' and (value > 0 or stored[i] ~= 'capacity') then s[stored[i]] = value end
    elseif value and value > now - LANE_MS and (number_of(lane) or 0) > 0 then
      s.lanes[lane] = value
      top = math.max(top, tonumber(lane))
    else
      s.forgotten[#s.forgotten + 1] = stored[i]
    end
  end
  if top == 0 then top = ceiling end
  local farthest = now + HORIZON_MS + REST_MS
  for lane, at in pairs(s.lanes) do s.lanes[lane] = math.min(at, farthest + 1000 / tonumber(lane)) end
  s.nextAt = math.min(s.nextAt, farthest + 1000 / math.min(top, s.capacity))
  s.urgentAt = math.min(s.urgentAt, s.nextAt)
  s.countedFrom = math.min(s.countedFrom, now)
  s.freshFrom = math.min(s.freshFrom, s.nextAt)
  s.cutAt = math.min(s.cutAt, now)
  return s, top
end

-- 17 digits carry a double unchanged; Lua's own 14 would lose the fraction.
local function digits(number)
  return string.format('%.17g', number)
end

local function save_pace(s)
  local fields = {}
  for _, name in ipairs(FIELDS) do
    fields[#fields + 1] = name
    fields[#fields + 1] = digits(s[name])
  end
  for lane, at in pairs(s.lanes) do
    fields[#fields + 1] = 'lane:' .. lane
    fields[#fields + 1] = digits(at)
  end
  -- Before the rest: the lane of this call may be one that was forgotten.
  if #s.forgotten > 0 then redis.call('HDEL', KEYS[1], unpack(s.forgotten)) end
  redis.call('HSET', KEYS[1], unpack(fields))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(0, s.nextAt - now) + KEEP_MS))
end

local function rate_at(s, top, at)
  local capacity = math.min(top, s.capacity)
  local probe = PROBE * math.sqrt(top / capacity)
  local rising = math.max(0, at - s.freshFrom - REST_MS / probe) / 1000
  return math.min(top, capacity * (1 + probe) + RISE * top * rising * rising)
end
