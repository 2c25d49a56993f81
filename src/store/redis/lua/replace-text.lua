-- A text in a hash, or in a list, is replaced where it is still the one that was read.
--
-- KEYS[1] the hash or list
-- ARGV[1] field, or place in the list   ARGV[2] the text that was read   ARGV[3] the new one
-- Output  1; 0 where another text is there, or none
local is_list = redis.call('TYPE', KEYS[1]).ok == 'list'
local there = redis.call(is_list and 'LINDEX' or 'HGET', KEYS[1], ARGV[1])
if there ~= ARGV[2] then return 0 end
redis.call(is_list and 'LSET' or 'HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
