-- KEYS: the queues, in order of preference. ARGV: ahead, the limit, the lease, a token, bytes of an answer, 1
-- right behind a wait, which has taken what woke it.
-- Answers for each queue that brings something: which one it is, the messages' elements, their lengths, and all
-- of them, one behind the other (a client takes three texts apart quicker than it reads hundreds). If none
-- does, milliseconds until something falls due; -1 where nothing will.
local now, room = time(ARGV[1]), tonumber(ARGV[2])
local token, most = ARGV[4], tonumber(ARGV[5])
local ends = now + ARGV[3]
local ends_as_text = string.format('%.0f', ends) -- once, not for each message
local largest, earliest = {}, {}
for i, queue in ipairs(KEYS) do
  largest[i], earliest[i] = known(queue)
  if not largest[i] then
    return missing(queue)
  end
end

local find, match = string.find, string.match
local first_of_all = ':1:' .. token

-- Make a message of what another program pushed, so that it is found to be none and ends as a dead letter.
local function adopt(queue, element)
  local entry = string.format('%.0f-%.0f', now, redis.call('HINCRBY', queue, 'sent', 1))
  local text = redis.call('HGET', queue .. ':body', element) or entry .. '\n' .. element
  redis.call('HSET', queue .. ':body', entry, text)
  redis.call('HDEL', queue .. ':body', element)
  return entry
end

-- Put back what was taken, when the script can't go on.
local function put_back(queue, elements, count, failed)
  for i = count, 1, -1 do
    redis.call('LPUSH', queue .. ':ready', elements[i])
  end
  error(failed, 0)
end

local function take(queue, limit)
  local elements = redis.call('LPOP', queue .. ':ready', limit) or {}
  local entries, receipts = {}, {}
  for i = 1, #elements do
    local element = elements[i]
    if find(element, '^%d+%-%d+$') then
      entries[i], receipts[i] = element, element .. first_of_all
    else
      local entry, past = match(element, '^(%d+%-%d+d*):?(%d*)$')
      if not entry then
        entry, past = adopt(queue, element), ''
        elements[i] = entry
      end
      entries[i] = entry
      receipts[i] = entry .. (past == '' and first_of_all or ':' .. (past + 1) .. ':' .. token)
    end
  end
  local bodies, lengths, leases, count = {}, {}, {}, 0
  if #entries > 0 then
    bodies = redis.pcall('HMGET', queue .. ':body', unpack(entries))
    if bodies.err then
      put_back(queue, elements, #elements, bodies)
    end
  end
  for i = 1, #elements do
    if bodies[i] then -- else somebody else deleted it
      count = count + 1
      elements[count], bodies[count], lengths[count] = elements[i], bodies[i], #bodies[i]
      leases[2 * count - 1], leases[2 * count] = ends_as_text, receipts[i]
    end
  end
  if count > 0 then
    local added = redis.pcall('ZADD', queue .. ':leased', unpack(leases))
    if type(added) == 'table' then
      put_back(queue, elements, count, added)
    end
  end
  if #elements == limit and redis.call('EXISTS', queue .. ':ready') == 1 then
    wake(queue) -- there is more, for whoever waits
  elseif ARGV[6] == '0' then
    redis.call('DEL', queue .. ':wake')
  end
  local concat = table.concat
  return count, concat(elements, ' ', 1, count), concat(lengths, ' '), concat(bodies, '', 1, count)
end

local found = {}
local function bring(i, queue)
  earliest[i] = fall_due(queue, now, earliest[i])
  local limit = room
  if largest[i] > 0 then
    limit = math.min(room, math.max(1, math.floor(most / largest[i])))
  end
  local count, elements, lengths, texts = take(queue, limit)
  if count > 0 then
    expect(queue, ends, earliest[i])
    most = most - #texts
    room = most > 0 and room - count or 0
    for _, part in ipairs({i, elements, lengths, texts}) do
      found[#found + 1] = part
    end
  elseif largest[i] > 0 and redis.call('EXISTS', queue .. ':body') == 0 then
    redis.call('HSET', queue, 'largest', 0)
  end
end

local failed
for i, queue in ipairs(KEYS) do
  if room <= 0 then
    break
  end
  local is_well, why = pcall(bring, i, queue)
  failed = failed or (not is_well and why)
end
if #found > 0 then
  return found -- what failed fails again when there is nothing else: these are leased by now
end
if failed then
  return type(failed) == 'table' and failed or redis.error_reply(failed)
end

local due = math.huge
for _, queue in ipairs(KEYS) do
  due = math.min(due, earliest_of(queue))
end
return due == math.huge and -1 or math.max(0, due - now)
