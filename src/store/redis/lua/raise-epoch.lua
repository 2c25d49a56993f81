-- Raises the epoch: of who has the store open now nobody may write any more.
--
-- KEYS[1] memory
-- Output  the epoch, and since when it is, in epoch ms
local now = string.format('%.0f', now_ms())
redis.call('HSET', KEYS[1], 'since', now)
return { redis.call('HINCRBY', KEYS[1], 'epoch', 1), now }
