-- Raises the epoch: of who has the store open now nobody may write any more. It is a time, so that none comes twice
-- though a backup from before an earlier one was restored.
--
-- KEYS[1] memory
-- ARGV[1] 1 where the store knows all that it knew; 0 where what it says of the past is whole from now on only
-- Output  the epoch, and since when that is whole, in epoch ms, or nothing where nobody knows
local now = now_ms()
if ARGV[1] == '0' then redis.call('HSET', KEYS[1], 'since', string.format('%.0f', now)) end
local last = tonumber(redis.call('HGET', KEYS[1], 'epoch') or '') or 0
local epoch = string.format('%.0f', math.max(now, last + 1))
redis.call('HSET', KEYS[1], 'epoch', epoch)
return { epoch, redis.call('HGET', KEYS[1], 'since') }
