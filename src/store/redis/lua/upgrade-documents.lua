-- Documents move from the hash of format 1 to that of format 2, each once.
--
-- KEYS[1] from   KEYS[2] to   KEYS[3] gates
-- ARGV    field, text, gate and its document or twice blank; and so on: four a document
-- Output  how many were moved
local moved = 0
for n = 1, #ARGV, 4 do
  local field, text, gate, closed = unpack(ARGV, n, n + 3)
  if redis.call('HDEL', KEYS[1], field) == 1 then
    redis.call('HSET', KEYS[2], field, text)
    if gate ~= '' then redis.call('HSET', KEYS[3], gate, closed) end
    moved = moved + 1
  end
end
return moved
