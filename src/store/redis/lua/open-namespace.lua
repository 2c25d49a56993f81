-- Opens a namespace: one that is new is given its format, identity and epoch, and one of the former format is brought to
-- this one, in which no document is another. Of several that open it at once one makes what all of them find. Not behind
-- the fence: FORMAT, FORMER and FOREIGN are set by scripts.ts.
--
-- KEYS[1] memory
-- ARGV[1] an identity, for a namespace that has none
-- Output  the identity, the epoch, and since when the namespace is there in epoch ms, or nothing where nobody knows; the
--         error FOREIGN and the format where that is neither of the two
local format = redis.call('HGET', KEYS[1], 'format')
if format and format ~= FORMAT and format ~= FORMER then return redis.error_reply(FOREIGN .. ' ' .. format) end
redis.call('HSET', KEYS[1], 'format', FORMAT)
redis.call('HSETNX', KEYS[1], 'epoch', '1')
-- What a namespace of the former format has may be older.
if redis.call('HSETNX', KEYS[1], 'identity', ARGV[1]) == 1 and not format then
  redis.call('HSET', KEYS[1], 'since', redis.call('TIME')[1] .. '000')
end
return redis.call('HMGET', KEYS[1], 'identity', 'epoch', 'since')
