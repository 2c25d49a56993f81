-- May this pool be tried? The first that asks at the probe's time gets the probe, and the next one moves away.
--
-- PROBE_GROWTH is set by scripts.ts.
--
-- KEYS[1] holds
-- ARGV[1] pool   ARGV[2] scope   ARGV[3] longest ms between probes   ARGV[4] fresh text of this call, by which it is
--         known again when it is sent twice
-- Output  JSON {is: free} | {is: probe, hold} | {is: held, hold, retryInMs}
local field = ARGV[1] .. '|' .. ARGV[2]
local text = redis.call('HGET', KEYS[1], field)
local now, hold = now_ms(), text and read_document('hold', KEYS[1], field, text)
if not hold then return '{"is":"free"}' end
if hold.prober == ARGV[4] then return cjson.encode({ is = 'probe', hold = hold }) end
if now < hold.probeAt then
  return cjson.encode({ is = 'held', hold = hold, retryInMs = hold.probeAt - now })
end
hold.probeEveryMs = math.min(tonumber(ARGV[3]), hold.probeEveryMs * PROBE_GROWTH)
hold.probeAt = now + hold.probeEveryMs
hold.prober = ARGV[4]
redis.call('HSET', KEYS[1], field, cjson.encode(hold))
return cjson.encode({ is = 'probe', hold = hold })
