-- A run has another identity from now on.
--
-- KEYS[1] runs   KEYS[2] identities
-- ARGV[1] id   ARGV[2] identity
local text = redis.call('HGET', KEYS[1], ARGV[1])
local run = text and read_document('run', KEYS[1], ARGV[1], text)
if not run then return 0 end
if run.identity ~= '' and redis.call('HGET', KEYS[2], run.identity) == run.id then
  redis.call('HDEL', KEYS[2], run.identity)
  redis.call('HSET', KEYS[2], ARGV[2], run.id)
end
run.identity = ARGV[2]
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(run))
return 1
