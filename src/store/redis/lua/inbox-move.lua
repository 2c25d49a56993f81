-- Entries change their state: what a drainer has under its token, and what is parked.
--
-- KEYS    those of inbox.lua
-- ARGV[1] `renew`, `done`, `defer` or `park`, of a drainer; `replay` or `discard`, of what is parked   ARGV[2] token, blank
--         for the latter   ARGV[3] for how long in ms, until when in epoch ms, or a reason   ARGV[4] and so on: ids
-- Output  the ids of which it was true
local now, what, token, word = now_ms(), ARGV[1], ARGV[2], ARGV[3]
local moved = {}
for n = 4, #ARGV do
  local id = ARGV[n]
  local is_parked = what == 'replay' or what == 'discard'
  local entry = is_parked and read_entry(id) or not is_parked and taken_entry(id, token) or nil
  if entry and (not is_parked or entry.parked) then
    if what == 'renew' then
      entry.taken.leaseUntil = now + tonumber(word)
      move_entry(id, entry, TAKEN, now)
    elseif what == 'done' then
      drop_entry(id)
      count_waiting(entry, -1)
    elseif what == 'discard' then
      drop_entry(id)
      count_parked(entry, -1)
    elseif what == 'defer' then
      local not_before = tonumber(word)
      entry.taken, entry.notBefore = nil, not_before > now and not_before or nil
      move_entry(id, entry, TAKEN, now)
    elseif what == 'park' then
      count_waiting(entry, -1)
      park_entry(id, entry, word, now)
    else
      entry.parked = nil
      move_entry(id, entry, PARKED, now)
      count_parked(entry, -1)
      count_waiting(entry, 1)
    end
    moved[#moved + 1] = id
  end
end
post_inbox()
return moved
