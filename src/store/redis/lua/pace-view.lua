-- The pace as it is, for people.
--
-- KEYS, ARGV  those of pace.lua
-- Output      JSON {ratePerSecond, cutAt}
local s = load_pace()
return string.format('{"ratePerSecond":%s,"cutAt":%s}', digits(rate_at(s)), digits(s.cutAt))
