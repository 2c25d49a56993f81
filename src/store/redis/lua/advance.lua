-- A run changes its state. One that has ended gives its identity back, so that the same command begins a new run. One
-- that was cancelled, or has expired, stays so. One that was put whole or has ended, and of which nothing is pending, is over: it is
-- not cancelled any more.
--
-- The gate of one that is cancelled, or waits for an approval, is closed in the same step; that of any other is open.
--
-- KEYS[1] runs   KEYS[2] identities   KEYS[3] books   KEYS[4] gates
-- ARGV[1] id   ARGV[2] state   ARGV[3] 1 to cancel one that is over as well   ARGV[4]… the states that it may have; any
--         where there are none
-- Output  1; 0 where there is no such run; -1 where it has another state
local text = redis.call('HGET', KEYS[1], ARGV[1])
local run = text and read_document('run', KEYS[1], ARGV[1], text)
if not run then return 0 end
if run.state == 'cancelled' or run.state == 'expired' then return -1 end
local may = #ARGV == 3
for at = 4, #ARGV do may = may or ARGV[at] == run.state end
local is_put = run.state == 'delivering' or run.state == 'finished' or run.state == 'failed'
if ARGV[2] == 'cancelled' and is_put and ARGV[3] ~= '1' then
  may = may and booked(KEYS[3], run.id, 'pending') > 0
end
if not may then return -1 end
run.state = ARGV[2]
if run.state == 'finished' or run.state == 'failed' or run.state == 'cancelled' or run.state == 'expired' then
  run.finishedAt = run.finishedAt or now_ms()
  if run.identity ~= '' and redis.call('HGET', KEYS[2], run.identity) == run.id then
    redis.call('HDEL', KEYS[2], run.identity)
  end
end
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(run))
local gate = run.state == 'cancelled' and run.state or run.state == 'needs-approval' and 'waiting'
if gate then
  redis.call('HSET', KEYS[4], 'run:' .. run.id, cjson.encode({ state = gate, since = now_ms() }))
else
  redis.call('HDEL', KEYS[4], 'run:' .. run.id)
end
return 1
