-- Begins a run, or finds the unfinished one of the same identity. Sent twice, the second time finds the run that the
-- first began, and does not call it resumed.
--
-- KEYS[1] runs   KEYS[2] run-index   KEYS[3] identities
-- ARGV[1] id   ARGV[2] pool   ARGV[3] feed   ARGV[4] identity, may be blank
-- ARGV[5] as-of in epoch ms; blank: now   ARGV[6] source
-- Output  JSON {id, resumed}
local id, identity = ARGV[1], ARGV[4]
if identity ~= '' then
  local current = redis.call('HGET', KEYS[3], identity)
  local text = current and redis.call('HGET', KEYS[1], current)
  if text and read_document('run', KEYS[1], current, text) then
    return cjson.encode({ id = current, resumed = current ~= id })
  end
  redis.call('HSET', KEYS[3], identity, id)
end
local before = redis.call('HGET', KEYS[1], id)
if before then read_document('run', KEYS[1], id, before) end
local now = now_ms()
local run = {
  id = id, source = ARGV[6], pool = ARGV[2], feed = ARGV[3], identity = identity, asOf = tonumber(ARGV[5]) or now, startedAt = now,
  state = 'reading',
}
if redis.call('HSETNX', KEYS[1], id, cjson.encode(run)) == 1 then
  -- Two that begin in the same millisecond keep their order: a thousandth lies between them.
  local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', KEYS[2], string.format('%.3f', math.max(now, last and tonumber(last) + 0.001 or 0)), id)
end
return cjson.encode({ id = id, resumed = false })
