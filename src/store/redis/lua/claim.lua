-- A worker asks for what is due of one user, under a fresh token and a lease. Prepended to claim-and-settle. `runs`: a
-- set of those whose changes are meant, or nil for all; `despite_pause`: a list of units of these that are meant although a
-- pause keeps them, or nil.
--
-- Answers JSON: the mailbox with the claim in it, as it is kept | {is: busy | later, retryInMs} | {is: idle}
-- | {missing_pool_key}
local function claim(d, token, lease_ms, runs, despite_pause)
  local mailbox = d.mailbox
  if not mailbox then return cjson.encode({ is = 'idle' }) end
  if not KNOWN[mailbox.pool] then return missing_pool_key(mailbox.pool) end
  local dead = mailbox.claim
  if dead and dead.leaseUntil > NOW then
    -- Sent again after a reconnect: the token is fresh, so nobody else can say it.
    if dead.token == token then return d.read end
    return cjson.encode({ is = 'busy', retryInMs = dead.leaseUntil - NOW })
  end
  take_over(d)
  apply_gates(d)
  for _, name in ipairs(despite_pause or {}) do
    local unit = mailbox.pending[name]
    if unit and runs[unit.run] then unit.gate = nil end
  end

  local units, sent = {}, {}
  local function take_due(name, unit)
    if may_go_at(mailbox.pending, name, unit) > NOW then return end
    mailbox.pending[name] = nil
    local applied = d.ledger[name]
    local contact = CONTACT_OF[name]
    if is_stale(d, name, unit) then
      book(unit.run, 'pending', -1)
      book(unit.run, 'stale', 1)
    elseif unit.sendUnless == 'written' and is_believed(applied, unit.digest) and not (contact and units[contact]) then
      enter(d, name, unit.version, unit.digest, nil, nil, unchanged_by(unit))
      book(unit.run, 'pending', -1)
      done(d, name, unit, 'unchanged')
    else
      units[name] = unit
      if unit.sendUnless and applied and applied.digest == unit.digest then sent[#sent + 1] = name end
    end
  end
  -- Flags come last: whether one must be sent depends on whether its contact is.
  local meant = {}
  for name in pairs(mailbox.pending) do
    if is_of(runs, mailbox.pending, name) then meant[#meant + 1] = name end
  end
  for _, name in ipairs(meant) do
    if not CONTACT_OF[name] then take_due(name, mailbox.pending[name]) end
  end
  for _, name in ipairs(meant) do
    if CONTACT_OF[name] then take_due(name, mailbox.pending[name]) end
  end

  if is_empty(units) then
    local at = close(d, runs)
    return cjson.encode(at and { is = 'later', retryInMs = math.max(0, at - NOW) } or { is = 'idle' })
  end
  -- From here until the settle nobody knows what the pool holds.
  for name in pairs(units) do
    blank(d, name)
    blank(d, other_of(name))
  end
  mailbox.claim = { token = token, leaseUntil = NOW + lease_ms, units = units, sent = #sent > 0 and sent or nil }
  close(d)
  return d.text
end
