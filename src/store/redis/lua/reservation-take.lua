-- Reserves an alias for a user. Its holder has it anew.
--
-- KEYS[1] alias:<pool>:<digest>
-- ARGV[1] user   ARGV[2] for how long, in ms
-- Output  JSON {is: taken} | {is: held, retryInMs}
local now = now_ms()
-- The end is in the value too: a reservation ends by this clock, and its expiry only tidies up.
local ends_at, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(.*)$')
if holder and holder ~= ARGV[1] and tonumber(ends_at) > now then
  return cjson.encode({ is = 'held', retryInMs = tonumber(ends_at) - now })
end
redis.call('SET', KEYS[1], string.format('%.0f|%s', now + tonumber(ARGV[2]), ARGV[1]), 'PX', ARGV[2])
return '{"is":"taken"}'
