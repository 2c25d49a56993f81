-- The rules of account marks in core/person.ts, in Lua. Prepended to mailbox.lua. MADE_AT_DIGITS is set by scripts.ts.

local function made_at(mark)
  return tonumber(string.sub(mark, 1, MADE_AT_DIGITS))
end

-- True where the account replaced the other one, which then no longer exists.
local function is_successor(mark, other)
  return mark ~= other and made_at(mark) >= made_at(other)
end

-- True where the one account had the username before the other. False where nobody looked at one of them, because then
-- it is not known.
local function came_before(one, other)
  return one and other and is_successor(other, one)
end
