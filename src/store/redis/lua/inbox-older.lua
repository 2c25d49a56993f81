-- Entries of a feed that arrived before, and are to be drained yet.
--
-- KEYS    those of inbox.lua
-- ARGV[1] feed   ARGV[2] arrival   ARGV[3] most entries   ARGV[4] most bytes
-- Output  a list: 1 where there may be more, else 0; then id, entry as JSON and body of each
local feed, before, limit, most_bytes = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- Of what waits for a time, of any feed, so many are looked at.
local LOOKED_AT = 1000

local reply, bytes, found = { '0' }, 0, 0
local function look_at(ids)
  if #ids > LOOKED_AT then reply[1] = '1' end
  for n = 1, math.min(#ids, LOOKED_AT) do
    local entry = read_entry(ids[n])
    if entry and entry.feed == feed and tonumber(entry.arrival) < before then
      found, bytes = found + 1, bytes + entry.bytes
      if found > limit or found > 1 and bytes > most_bytes then
        reply[1] = '1'
        return
      end
      reply[#reply + 1] = ids[n]
      reply[#reply + 1] = entry_text(entry)
      reply[#reply + 1] = redis.call('HGET', BODIES, ids[n])
    end
  end
end
look_at(redis.call('ZRANGEBYSCORE', LINE, '-inf', '(' .. ARGV[2], 'LIMIT', 0, LOOKED_AT + 1))
for _, set in ipairs({ TAKEN, AHEAD }) do look_at(redis.call('ZRANGE', set, 0, LOOKED_AT)) end
post_inbox()
return reply
