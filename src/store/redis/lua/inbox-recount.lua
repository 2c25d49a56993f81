-- Counts are set right that are still what was read before they were counted.
--
-- KEYS    those of inbox.lua
-- ARGV    three for each: field, what was read, what was counted
-- Output  how many were set right
local mended = 0
for n = 1, #ARGV, 3 do
  if inbox_count(ARGV[n]) == tonumber(ARGV[n + 1]) then
    redis.call('HSET', COUNTS, ARGV[n], ARGV[n + 2])
    mended = mended + 1
  end
end
post_inbox()
return mended
