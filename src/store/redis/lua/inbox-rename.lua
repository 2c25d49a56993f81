-- Entries get other names and bodies, in all places.
--
-- KEYS    those of inbox.lua
-- ARGV    three for each: id, the new id, the new body
-- Output  how many were there
local moved = 0
for n = 1, #ARGV, 3 do
  local id, name, body = ARGV[n], ARGV[n + 1], ARGV[n + 2]
  local text = redis.call('HGET', INBOX, id)
  if text then
    redis.call('HSET', INBOX, name, text)
    redis.call('HSET', BODIES, name, body)
    for _, set in ipairs({ LINE, AHEAD, TAKEN, PARKED }) do
      local score = redis.call('ZSCORE', set, id)
      if score then redis.call('ZADD', set, score, name) end
    end
    drop_entry(id)
    moved = moved + 1
  end
end
return moved
