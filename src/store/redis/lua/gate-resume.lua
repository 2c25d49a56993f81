-- Opens a gate that was paused.
--
-- KEYS[1] gates
-- ARGV[1] gate
-- Output  1 where it was, else 0
local text = redis.call('HGET', KEYS[1], ARGV[1])
local gate = text and read_gate(KEYS[1], ARGV[1], text)
if not gate or gate.state ~= 'paused' then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
