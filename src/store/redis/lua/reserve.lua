-- Reserves the next slot, and those after it that come almost at once.
--
-- KEYS, ARGV  those of pace.lua, ARGV[2] how many at most, ARGV[3] 1 where they overtake what is not yet due
-- Output      JSON [{waitMs, slotAt}]
local s = load_pace()
local most, urgent = tonumber(ARGV[2]), ARGV[3] == '1'
s.rate, s.rateAt = rate_at(s), now

local slots = {}
repeat
  local free = math.max(now, s.nextAt)
  local slot = urgent and math.min(free, math.max(now, s.urgentAt)) or free
  if #slots > 0 and slot > now + AHEAD_MS then break end
  s.nextAt = free + 1000 / s.rate
  if urgent then s.urgentAt = slot + 1000 / s.rate end
  slots[#slots + 1] = string.format('{"waitMs":%s,"slotAt":%s}', digits(slot - now), digits(slot))
until #slots >= most
save_pace(s)
return '[' .. table.concat(slots, ',') .. ']'
