-- Reserves the next slot, and those after it that come almost at once.
--
-- KEYS, ARGV  those of pace.lua, ARGV[2] how many at most, ARGV[3] 1 where they overtake what is not yet due
-- Output      JSON {slots: [{waitMs, slotAt}], askAgainMs}
local s, top = load_pace(ceiling)
local most, urgent = tonumber(ARGV[2]), ARGV[3] == '1'
local earliest, lane = now - CATCH_UP_MS, s.lanes[ARGV[1]] or 0

local slots, askAgainMs, isIdle = {}, 0, now - s.nextAt > IDLE_MS
while #slots < most do
  local free = math.max(earliest, s.nextAt)
  local slot = urgent and math.min(free, math.max(earliest, s.urgentAt)) or free
  -- A process with a lower ceiling spends the fleet's slot and makes the call later, so that no slot waits for a lane.
  local at = ceiling < top and math.max(slot, lane) or slot
  if #slots == 0 and at > now + HORIZON_MS then
    askAgainMs = at - HORIZON_MS - now
    break
  end
  if #slots > 0 and at > now + AHEAD_MS then break end
  local rate = rate_at(s, top, free)
  s.nextAt = free + 1000 / rate
  if urgent then s.urgentAt = slot + 1000 / rate end
  lane = at + 1000 / ceiling
  slots[#slots + 1] = string.format('{"waitMs":%s,"slotAt":%s}', digits(math.max(0, at - now)), digits(at))
end
if #slots > 0 then
  if isIdle then s.granted, s.countedFrom = 0, 0 end
  s.granted = s.granted + #slots
  s.lanes[ARGV[1]] = lane
end
save_pace(s)
return string.format('{"slots":[%s],"askAgainMs":%s}', table.concat(slots, ','), digits(askAgainMs))
