-- Counters: behind damaged.lua, in every script that counts. One that is no whole number is set aside before anything is
-- added to it, so that no counting fails: a script that has begun to write must not. counters.ts says the same of what is
-- read outside of scripts. MOST_COUNTED and TERMS, those of core/books.ts, are set by scripts.ts.

local function is_count(text)
  return text == '0' or (string.find(text, '^%-?[1-9]%d*$') ~= nil and math.abs(tonumber(text)) <= MOST_COUNTED)
end
local function is_broken(text)
  return text and not is_count(text)
end

-- Sets aside what broke in the books of a run, or in the total where that is blank. A term that broke is what the others
-- leave of `received`. Where several did, that stands as `pending` or `dead` until they are counted (see `reckon` of
-- store/damaged.ts), or else as `damaged`. So the books balance, before and after.
local function mend_books(books, run)
  local counts, broken, how_many, rest = {}, {}, 0, 0
  for term in pairs(TERMS) do
    local field = run .. '|' .. term
    local text = redis.call('HGET', books, field)
    counts[term] = 0
    if is_broken(text) then
      shelve('counter', 'books ' .. field, text, nil, run)
      broken[term] = true
      how_many = how_many + 1
      -- Nobody knows how many wait. With none the run would end before they are counted.
      if term == 'pending' then counts[term] = 1 end
    elseif text then
      counts[term] = tonumber(text)
    end
    if term ~= 'received' then rest = rest + counts[term] end
  end
  for _, rows in ipairs({ 'rows-read', 'rows-faulty' }) do
    local field = run .. '|' .. rows
    local text = redis.call('HGET', books, field)
    if is_broken(text) then
      shelve('counter', 'books ' .. field, text, nil, run)
      redis.call('HDEL', books, field)
    end
  end
  if how_many == 0 then return end
  local left, rest_is = counts.received - rest, 'damaged'
  if broken.received then
    counts.received = rest
  else
    if broken.pending then rest_is = 'pending'
    elseif how_many == 1 then rest_is = next(broken)
    elseif broken.dead then rest_is = 'dead' end
    counts[rest_is] = counts[rest_is] + left
    broken[rest_is] = true
  end
  for term in pairs(broken) do redis.call('HSET', books, run .. '|' .. term, string.format('%.0f', counts[term])) end
end

-- What the books of a run have of a term.
local function booked(books, run, term)
  local text = redis.call('HGET', books, run .. '|' .. term)
  if is_broken(text) then
    mend_books(books, run)
    text = redis.call('HGET', books, run .. '|' .. term)
  end
  return tonumber(text or 0)
end

-- Sets aside how many letters a pool has, where that broke. It is as many as there are at most until they are counted.
local function mend_letters(pools, pool, letter_times)
  local text = redis.call('HGET', pools, pool)
  if not is_broken(text) then return end
  shelve('counter', 'pools ' .. pool, text, pool)
  redis.call('HSET', pools, pool, redis.call('ZCARD', letter_times))
end

local function count_letters(pools, pool, by, letter_times)
  mend_letters(pools, pool, letter_times)
  redis.call('HINCRBY', pools, pool, by)
end

-- Gives so many arrivals, and answers the one before the first. Where the counter broke they go on at the clock's
-- microseconds: more than were ever given, because no store gives as many as one in each.
local function give_arrivals(arrivals, count)
  local text = redis.call('GET', arrivals)
  if text and (is_broken(text) or tonumber(text) < 0) then
    shelve('counter', 'arrivals', text)
    redis.call('SET', arrivals, string.format('%.0f', now_exact() * 1000))
  end
  return redis.call('INCRBY', arrivals, count) - count
end
