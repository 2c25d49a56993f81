-- The fence: prepended to every script, behind the clock. Another version may have brought the documents to a form that
-- the script behind would spoil, or the store may be another one than the process opened: emptied, replaced or restored.
-- FORMAT, FOREIGN and REPLACED are set by scripts.ts.
--
-- KEYS[1] memory; it is taken away here, and what the script behind calls KEYS[1] comes next
-- ARGV    the last two, the identity and the epoch that the process knows, are taken away as well
-- Output  the error FOREIGN and the format that is there, or REPLACED and what is wrong, before anything was written
do
  local epoch = table.remove(ARGV)
  local identity = table.remove(ARGV)
  local there = redis.call('HMGET', table.remove(KEYS, 1), 'format', 'identity', 'epoch')
  if there[1] and there[1] ~= FORMAT then return redis.error_reply(FOREIGN .. ' ' .. there[1]) end
  if not there[1] or not there[2] then return redis.error_reply(REPLACED .. ' gone') end
  if there[2] ~= identity then return redis.error_reply(REPLACED .. ' other') end
  if there[3] ~= epoch then return redis.error_reply(REPLACED .. ' epoch') end
end
