-- Gates that are open and still keep users.
--
-- KEYS[1] gates   KEYS[2] kept
-- Output  a list of gates
local opened, from = {}, '-'
while true do
  local member = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, 1)[1]
  if not member then return opened end
  local gate = string.match(member, '^(.*)%z')
  if redis.call('HEXISTS', KEYS[1], gate) == 0 then opened[#opened + 1] = gate end
  from = '[' .. gate .. '\1'
end
