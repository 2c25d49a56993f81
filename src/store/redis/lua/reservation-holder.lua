-- The user who has an alias reserved, and for how much longer.
--
-- KEYS[1] alias:<pool>:<digest>
-- Output  JSON {holder, endsInMs}; blank where nobody has
local ends_at, holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+)|(.*)$')
local left = holder and tonumber(ends_at) - now_ms() or 0
if left <= 0 then return '' end
return cjson.encode({ holder = holder, endsInMs = left })
