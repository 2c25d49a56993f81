-- Raises the epoch: of who has the store open now nobody may write any more.
--
-- KEYS[1] memory
-- ARGV[1] 1 where the store knows all that it knew; 0 where what it says of the past is whole from now on only
-- Output  the epoch, and since when that is whole, in epoch ms, or nothing where nobody knows
if ARGV[1] == '0' then redis.call('HSET', KEYS[1], 'since', string.format('%.0f', now_ms())) end
return { redis.call('HINCRBY', KEYS[1], 'epoch', 1), redis.call('HGET', KEYS[1], 'since') }
