-- Ends the reservation of an alias, if it is this user's.
--
-- KEYS[1] alias:<pool>:<digest>
-- ARGV[1] user
local holder = string.match(redis.call('GET', KEYS[1]) or '', '^%d+|(.*)$')
if holder == ARGV[1] then redis.call('DEL', KEYS[1]) end
return ''
