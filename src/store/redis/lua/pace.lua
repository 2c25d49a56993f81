-- The rule of core/pace.ts, said in Lua: prepended to reserve, throttled and pace-view.
--
-- KEYS[1] pace:<bucket>   ARGV[1] ceiling in calls a second
-- State that is lost, or whose time has come, is made anew from the ceiling.
local CUT, RECOVERY_PER_SECOND, SLOWEST_SHARE, CUT_EVERY_MS, AHEAD_MS = 0.5, 0.05, 0.03, 1000, 20
-- Far longer than a rate needs to come back; the last cut can be shown for as long.
local KEEP_MS = 60 * 60000

local now, ceiling = now_exact(), tonumber(ARGV[1])

local function load_pace()
  local s = redis.call('HMGET', KEYS[1], 'nextAt', 'rate', 'rateAt', 'cutAt', 'urgentAt')
  if not s[1] then return { nextAt = now, urgentAt = now, rate = ceiling, rateAt = now, cutAt = 0 } end
  return {
    nextAt = tonumber(s[1]), rate = tonumber(s[2]), rateAt = tonumber(s[3]), cutAt = tonumber(s[4]),
    urgentAt = tonumber(s[5] or now),
  }
end

-- 17 digits carry a double unchanged; Lua's own 14 would lose the fraction.
local function digits(number)
  return string.format('%.17g', number)
end

local function save_pace(s)
  redis.call('HSET', KEYS[1], 'nextAt', digits(s.nextAt), 'rate', digits(s.rate), 'rateAt', digits(s.rateAt),
    'cutAt', digits(s.cutAt), 'urgentAt', digits(s.urgentAt))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(0, s.nextAt - now) + KEEP_MS))
end

local function rate_at(s)
  return math.min(ceiling, s.rate + math.max(0, now - s.rateAt) / 1000 * RECOVERY_PER_SECOND * ceiling)
end
