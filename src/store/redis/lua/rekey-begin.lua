-- Stows hashes under other names, once.
--
-- KEYS[1] memory   KEYS[2] exception-times   KEYS[3] inbox-seen: they are taken away   then a hash, and what it is called from now on, and so on
-- ARGV[1] the name under which the memory says that it was done
-- Output  1; 0 where it was done before
if redis.call('HSETNX', KEYS[1], ARGV[1], '1') == 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
for n = 4, #KEYS, 2 do
  if redis.call('EXISTS', KEYS[n]) == 1 then redis.call('RENAME', KEYS[n], KEYS[n + 1]) end
end
return 1
