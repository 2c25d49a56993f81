-- A call that went in a slot was throttled: the rate is cut, unless the slot was reserved before the last cut.
--
-- KEYS, ARGV  those of pace.lua, and ARGV[2] the slot's time in epoch ms
-- Output      1 where the rate was cut, else 0
local s, top = load_pace(ceiling)
s.granted = s.granted - 1
if tonumber(ARGV[2]) < s.freshFrom then
  save_pace(s)
  return 0
end
local rate, countedMs = rate_at(s, top, now), math.max(1, now - s.countedFrom)
local measured = countedMs > MEMORY_MS and 0 or s.granted * 1000 / countedMs
local slowest = math.max(SLOWEST_SHARE * top, math.min(SLOWEST, top))
s.capacity = math.max(slowest, math.min(rate, math.max(DEEPEST_CUT * rate, measured)))
s.freshFrom = math.max(s.nextAt, now) + REST_MS
s.nextAt, s.urgentAt = s.freshFrom, math.max(s.urgentAt, now + REST_MS)
s.granted, s.countedFrom, s.cutAt = 0, now, now
save_pace(s)
return 1
