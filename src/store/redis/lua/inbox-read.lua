-- Entries as they are.
--
-- KEYS    those of inbox.lua
-- ARGV[1] 1 for their bodies as well   ARGV[2] and so on: ids
-- Output  a list: id, entry as JSON and body, or blank, of each that is there
local reply, now = {}, now_ms()
for n = 2, #ARGV do
  local id = ARGV[n]
  local entry = read_entry(id)
  if entry then
    -- A time that has come says nothing.
    if entry.notBefore and entry.notBefore <= now then entry.notBefore = nil end
    reply[#reply + 1] = id
    reply[#reply + 1] = entry_text(entry)
    reply[#reply + 1] = ARGV[1] == '1' and redis.call('HGET', BODIES, id) or ''
  end
end
post_inbox()
return reply
