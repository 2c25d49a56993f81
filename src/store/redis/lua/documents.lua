-- A mailbox as it is kept, and as the steps work on it: prepended to mailbox.lua.

local function is_empty(record)
  return next(record) == nil
end

-- What most mailboxes have nothing of is left out of the documents as they are kept: a third of their size. `inflate`
-- puts it back, and so do the shapes of documents.ts.
local SHELVES = { 'abandonedCalls', 'lastSettled', 'overwritten', 'unresolvedCalls' }
local function fill(units)
  for _, unit in pairs(units) do
    unit.attempts = unit.attempts or 0
    unit.faults = unit.faults or 0
    unit.deaths = unit.deaths or 0
    unit.notBefore = unit.notBefore or 0
  end
end
local function strip(units)
  for _, unit in pairs(units) do
    if unit.attempts == 0 then unit.attempts = nil end
    if unit.faults == 0 then unit.faults = nil end
    if unit.deaths == 0 then unit.deaths = nil end
    if unit.notBefore == 0 then unit.notBefore = nil end
  end
end
local function inflate(mailbox)
  for _, shelf in ipairs(SHELVES) do mailbox[shelf] = mailbox[shelf] or {} end
  fill(mailbox.pending)
  fill(mailbox.lastSettled)
  if mailbox.claim then fill(mailbox.claim.units) end
  return mailbox
end
local function slim(mailbox)
  strip(mailbox.pending)
  strip(mailbox.lastSettled)
  if mailbox.claim then strip(mailbox.claim.units) end
  for _, shelf in ipairs(SHELVES) do
    if is_empty(mailbox[shelf]) then mailbox[shelf] = nil end
  end
  return mailbox
end
