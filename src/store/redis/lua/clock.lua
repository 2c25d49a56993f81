-- The store's clock: prepended to every script. Epoch ms with a fraction; `now_ms` is whole.
-- Tests replace this file by a clock that they set.
local function now_exact()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000
end
local function now_ms()
  return math.floor(now_exact())
end
