-- Reserves the next slot.
--
-- KEYS, ARGV  those of pace.lua
-- Output      JSON {waitMs, slotAt}
local s = load_pace()
local rate = rate_at(s)
local slot = math.max(now, s.nextAt)
save_pace({ nextAt = slot + 1000 / rate, rate = rate, rateAt = now, cutAt = s.cutAt })
return string.format('{"waitMs":%s,"slotAt":%s}', digits(slot - now), digits(slot))
