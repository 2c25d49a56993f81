-- Entries that the inbox has lost the place of have it again.
--
-- KEYS    those of inbox.lua
-- ARGV    ids
-- Output  a list: how many had none; then the field in which each entry is counted by its bytes, these, and its feed where
--         it is parked, or blank
local now, reply, lost = now_ms(), { '' }, 0
for _, id in ipairs(ARGV) do
  local entry = read_entry(id)
  if entry then
    local set, score = place_of(entry, now)
    -- One whose time has come may lie where it waited for it.
    if not redis.call('ZSCORE', set, id) and not (set == LINE and redis.call('ZSCORE', AHEAD, id)) then
      redis.call('ZADD', set, score, id)
      lost = lost + 1
    end
    reply[#reply + 1] = set == PARKED and 'parked-bytes' or 'bytes'
    reply[#reply + 1] = entry.bytes
    reply[#reply + 1] = set == PARKED and entry.feed or ''
  end
end
post_inbox()
reply[1] = lost
return reply
