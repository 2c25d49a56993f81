-- Adds accounts to what a scan has seen.
--
-- KEYS[1] accounts of the scan
-- ARGV[1] for how long more of it is waited for, in ms   ARGV[2] how long a mark is   ARGV[3] what stands for several
--         then name, text, name, text …
for at = 4, #ARGV, 2 do
  local name, text = ARGV[at], ARGV[at + 1]
  local there = redis.call('HGET', KEYS[1], name)
  if there and string.sub(there, 1, ARGV[2]) ~= string.sub(text, 1, ARGV[2]) then text = ARGV[3] end
  redis.call('HSET', KEYS[1], name, text)
end
-- No account has this name.
redis.call('HINCRBY', KEYS[1], '', 1)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
