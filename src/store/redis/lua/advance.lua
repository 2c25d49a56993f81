-- A run changes its state. One that has ended gives its identity back, so that the same command begins a new run.
--
-- KEYS[1] runs   KEYS[2] identities
-- ARGV[1] id   ARGV[2] state
-- Output  1, or 0 where there is no such run
local text = redis.call('HGET', KEYS[1], ARGV[1])
if not text then return 0 end
local run = cjson.decode(text)
run.state = ARGV[2]
if run.state == 'finished' or run.state == 'failed' then
  run.finishedAt = run.finishedAt or now_ms()
  if run.identity ~= '' and redis.call('HGET', KEYS[2], run.identity) == run.id then
    redis.call('HDEL', KEYS[2], run.identity)
  end
end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(run))
return 1
