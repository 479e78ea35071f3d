-- What the scripts know of a queue. Its key, Q, is a hash; the others' names begin with it:
--
--   Q            sent: messages so far; largest: bytes of the largest body since the queue was last empty;
--                due: nothing in the next two falls due earlier
--   Q:ready      list of elements, in the order in which they fell due
--   Q:delayed    elements by when they fall due
--   Q:leased     receipts by when the lease ends
--   Q:body       entry -> what was sent
--   Q:wake       list of one at most: something became ready, and nobody has looked since
--
-- and of a FIFO queue, of each of whose groups the first message alone is in one of the three above:
--
--   Q:groups     group -> messages in the queue
--   Q:behind:G   list of "due entry": who stands behind the first of group G
--   Q:later      entries in such a list by when they fall due, if they were sent with a delay
--   Q:seen       deduplication ids by when they are forgotten
--
-- An entry, "SENT-NUMBER", names a message: milliseconds since the epoch, and which one it is. An element is an
-- entry, or "ENTRY:RECEIVES" once it has been received. A receipt is "ENTRY:RECEIVES:TOKEN".
-- Times are milliseconds by the server's clock, the only one that everybody shares.

local MANY = 1000 -- how many a call moves at once: Lua's stack has room for 8,000 arguments

local function time(ahead)
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000) + ahead
end

local function missing(queue)
  return redis.error_reply('NOQUEUE ' .. queue)
end

local function entry_of(text)
  return string.match(text, '^[^:]+')
end

local function wake(queue)
  if redis.call('RPUSH', queue .. ':wake', 1) > 1 then
    redis.call('LPOP', queue .. ':wake')
  end
end

-- Fail where a key is of another type, while nothing is written yet: what a script has done before it fails stays.
local function check_types(queue)
  redis.call('LLEN', queue .. ':ready')
  redis.call('ZCARD', queue .. ':delayed')
  redis.call('ZCARD', queue .. ':leased')
  redis.call('HLEN', queue .. ':body')
end

-- What a queue's hash says: `largest`, and `due` or infinity. Nothing where it wasn't declared.
local function known(queue)
  local found = redis.call('HMGET', queue, 'largest', 'due')
  return found[1] and (tonumber(found[1]) or 0), tonumber(found[2]) or math.huge
end

-- Note when something falls due, if it does earlier than what is known of.
local function expect(queue, due, earliest)
  if due < earliest then
    redis.call('HSET', queue, 'due', string.format('%.0f', due))
  end
end

local function schedule(queue, element, due, now)
  if due <= now then
    redis.call('RPUSH', queue .. ':ready', element)
    wake(queue)
    return
  end
  redis.call('ZADD', queue .. ':delayed', due, element)
  local _, earliest = known(queue)
  expect(queue, due, earliest)
  if redis.call('ZRANGE', queue .. ':delayed', 0, 0)[1] == element then
    wake(queue) -- who waits, waits for something later
  end
end

local function earliest_of(queue)
  local earliest = math.huge
  for _, name in ipairs({':leased', ':delayed'}) do
    local first = redis.call('ZRANGE', queue .. name, 0, 0, 'WITHSCORES')[2]
    earliest = math.min(earliest, tonumber(first or earliest))
  end
  return earliest
end

-- Make ready what has fallen due, in the order in which it did; when the next does. That is asked of the queue's
-- hash before it is asked of two sorted sets.
local function fall_due(queue, now, earliest)
  if now < earliest then
    return earliest
  end
  check_types(queue)
  local due = {}
  for _, name in ipairs({':leased', ':delayed'}) do
    local found = redis.call(
      'ZRANGEBYSCORE', queue .. name, '-inf', now, 'WITHSCORES', 'LIMIT', 0, MANY)
    local members = {}
    for i = 1, #found, 2 do
      local element = found[i]
      members[#members + 1] = element
      if name == ':leased' then
        element = string.match(element, '^(.*):') or element
      end
      due[#due + 1] = {tonumber(found[i + 1]), #due, element}
    end
    if #members > 0 then
      redis.call('ZREM', queue .. name, unpack(members))
    end
  end
  table.sort(due, function(a, b)
    if a[1] ~= b[1] then
      return a[1] < b[1]
    end
    return a[2] < b[2]
  end)
  for i = 1, #due do
    redis.call('RPUSH', queue .. ':ready', due[i][3])
  end
  earliest = earliest_of(queue)
  redis.call('HDEL', queue, 'due') -- first, since a server without memory lets no script begin with an HSET
  expect(queue, earliest, math.huge)
  return earliest
end

-- Add a message to a FIFO queue: behind its group, if there is one.
local function line_up(queue, group, entry, due, now)
  if redis.call('HINCRBY', queue .. ':groups', group, 1) == 1 then
    schedule(queue, entry, due, now)
    return
  end
  redis.call('RPUSH', queue .. ':behind:' .. group, string.format('%.0f %s', due, entry))
  if due > now then
    redis.call('ZADD', queue .. ':later', due, entry)
  end
end

-- The first of a group is gone: let the next of it go.
local function move_up(queue, group, now)
  if redis.call('HINCRBY', queue .. ':groups', group, -1) <= 0 then
    redis.call('HDEL', queue .. ':groups', group)
    return
  end
  local due, entry = string.match(redis.call('LPOP', queue .. ':behind:' .. group) or '', '^(%d+) (.*)$')
  if not due then -- somebody else deleted it
    redis.call('HDEL', queue .. ':groups', group)
    return
  end
  redis.call('ZREM', queue .. ':later', entry)
  schedule(queue, entry, tonumber(due), now)
end

-- Which of these receipts are held: a table of booleans.
local function held(queue, receipts, now)
  local found = {}
  for i, ends in ipairs(redis.call('ZMSCORE', queue .. ':leased', unpack(receipts))) do
    found[i] = ends and tonumber(ends) > now
  end
  return found
end

-- One character for each: whether it was done.
local function answer(done)
  for i, was in ipairs(done) do
    done[i] = was and '1' or '0'
  end
  return table.concat(done)
end

-- Note how large texts are, so that a receive takes no more than an answer should hold.
local function measure(queue, size, largest)
  if size > largest then
    redis.call('HSET', queue, 'largest', size)
  end
end
