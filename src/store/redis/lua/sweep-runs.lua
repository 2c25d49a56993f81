-- Forgets some runs that began before a time, with their books; their part of the total stays. A run of which something
-- is pending or dead stays, and one that waits for an approval, and direct runs; so does one of which something was
-- superseded, while anybody in its pool is due or kept, or it has a dead letter.
--
-- KEYS[1] runs   KEYS[2] run-index   KEYS[3] identities   KEYS[4] cursors   KEYS[5] books   KEYS[6] gates   KEYS[7] kept
-- KEYS[8] pools   KEYS[9]… due:<pool> of the pools that the caller knows
-- ARGV[1] before, epoch ms   ARGV[2] how many to pass over   ARGV[3] how many to look at   ARGV[4] the books' terms, JSON
-- ARGV[5]… these pools
-- Output  JSON {gone, stayed}
local terms = cjson.decode(ARGV[4])
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[1], 'LIMIT', ARGV[2], ARGV[3])
local gone = 0
local is_kept, is_idle = redis.call('EXISTS', KEYS[7]) == 1, {}
for n = 5, #ARGV do
  local letters = redis.call('HGET', KEYS[8], ARGV[n]) or '0'
  is_idle[ARGV[n]] = not is_kept and letters == '0' and redis.call('EXISTS', KEYS[n + 4]) == 0
end
for _, id in ipairs(ids) do
  local text = redis.call('HGET', KEYS[1], id)
  local run = text and read_document('run', KEYS[1], id, text)
  local function has(term)
    return booked(KEYS[5], id, term) ~= 0
  end
  local stays = has('pending') or has('dead')
    or (run and not is_idle[run.pool] and has('superseded'))
    or (run and (run.state == 'needs-approval' or run.id == 'direct:' .. run.pool))
  if not stays then
    gone = gone + 1
    if run and run.identity ~= '' and redis.call('HGET', KEYS[3], run.identity) == id then
      redis.call('HDEL', KEYS[3], run.identity)
    end
    redis.call('HDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[4], id)
    redis.call('HDEL', KEYS[6], 'run:' .. id)
    for _, term in ipairs(terms) do redis.call('HDEL', KEYS[5], id .. '|' .. term) end
  end
end
return cjson.encode({ gone = gone, stayed = #ids - gone })
