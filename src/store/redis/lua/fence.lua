-- The fence: prepended to every script, behind the clock. Another version may have brought the documents to a form that
-- the script behind would spoil, while the process that runs it was under way. A namespace without a format is let
-- pass. FORMAT and FOREIGN are set by scripts.ts.
--
-- KEYS[1] memory   KEYS[2] damaged   KEYS[3] damaged-texts; they are taken away here, and what the script behind calls
--         KEYS[1] comes next
-- Output  the error FOREIGN and the format that is there, before anything was written
do
  local there = redis.call('HGET', table.remove(KEYS, 1), 'format')
  if there and there ~= FORMAT then return redis.error_reply(FOREIGN .. ' ' .. there) end
end
local DAMAGED, DAMAGED_TEXTS = table.remove(KEYS, 1), table.remove(KEYS, 1)
