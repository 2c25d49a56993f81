-- Throws documents away that were set aside. The gate of a run that nobody knows opens again.
--
-- KEYS[1] gates
-- ARGV    ids
-- Output  how many were there
local gone = 0
for _, id in ipairs(ARGV) do
  local text = redis.call('HGET', DAMAGED, id)
  if text then
    local is_json, entry = pcall(cjson.decode, text)
    local is_gate = is_json and type(entry) == 'table' and entry.kind == 'gate' and is_text(entry.place)
    local closed = is_gate and string.sub(entry.place, 1, 4) == 'run:' and redis.call('HGET', KEYS[1], entry.place)
    local gate = closed and sound('gate', entry.place, closed)
    if gate and gate.state == 'paused' then redis.call('HDEL', KEYS[1], entry.place) end
    redis.call('HDEL', DAMAGED_TEXTS, id)
    gone = gone + redis.call('HDEL', DAMAGED, id)
  end
end
return gone
