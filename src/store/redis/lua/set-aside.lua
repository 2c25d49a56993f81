-- Sets a document aside that was read outside of a script, where it is still what was read.
--
-- KEYS    those of mailbox.lua, then KEYS[11] the hash that it is in, KEYS[12] exception-times, due:… of known pools
-- ARGV[1] kind   ARGV[2] field   ARGV[3] its text
-- Output  1 where it was, else 0
local kind, field, text = unpack(ARGV)
if redis.call('HGET', KEYS[11], field) ~= text then return 0 end
if kind == 'mailbox' then
  set_aside_mailbox(field, text)
elseif kind == 'gate' then
  read_gate(GATES, field, text, RUNS)
else
  set_aside(kind, KEYS[11], field, text, nil, kind == 'letter' and RUNS)
  if kind == 'letter' then redis.call('ZREM', LETTER_TIMES, field) end
  if kind == 'exceptions' then redis.call('ZREM', KEYS[12], field) end
end
return 1
