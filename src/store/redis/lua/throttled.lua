-- A call that went in a slot was throttled: the rate is cut, unless the slot was reserved before the last cut.
--
-- KEYS, ARGV  those of pace.lua, and ARGV[2] the slot's time in epoch ms
-- Output      1 where the rate was cut, else 0
local s = load_pace()
if tonumber(ARGV[2]) < s.cutAt or now - s.cutAt < CUT_EVERY_MS then return 0 end
local rate = math.max(SLOWEST_SHARE * ceiling, rate_at(s) * CUT)
local from = now + 1000 / rate
save_pace({
  nextAt = math.max(s.nextAt, from), urgentAt = math.max(s.urgentAt, from), rate = rate, rateAt = now, cutAt = now,
})
return 1
