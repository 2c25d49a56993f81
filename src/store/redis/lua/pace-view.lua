-- The pace as it is, for people. Where nobody has reserved lately the ceiling is the one given.
--
-- KEYS, ARGV  those of pace.lua
-- Output      JSON {ratePerSecond, ceilingPerSecond, cutAt}
local s, top = load_pace(0)
return string.format('{"ratePerSecond":%s,"ceilingPerSecond":%s,"cutAt":%s}',
  digits(rate_at(s, top, now)), digits(top), digits(s.cutAt))
