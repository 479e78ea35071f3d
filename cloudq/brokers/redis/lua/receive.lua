-- KEYS: the queues, in order of preference. ARGV: ahead, the limit, the lease, a token, bytes of an answer.
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

local find, sub = string.find, string.sub
local first_of_all = ':1:' .. token

local function take(queue, limit)
  local elements = redis.call('LPOP', queue .. ':ready', limit) or {}
  local entries, receipts = {}, {}
  for i = 1, #elements do
    local element = elements[i]
    local colon = find(element, ':', 1, true)
    if colon then
      entries[i] = sub(element, 1, colon - 1)
      receipts[i] = entries[i] .. ':' .. (sub(element, colon + 1) + 1) .. ':' .. token
    else
      entries[i], receipts[i] = element, element .. first_of_all
    end
  end
  local bodies, lengths, leases, count = {}, {}, {}, 0
  if #entries > 0 then
    bodies = redis.call('HMGET', queue .. ':body', unpack(entries))
  end
  for i = 1, #elements do
    if bodies[i] then -- else somebody else deleted it
      count = count + 1
      elements[count], bodies[count], lengths[count] = elements[i], bodies[i], #bodies[i]
      leases[2 * count - 1], leases[2 * count] = ends_as_text, receipts[i]
    end
  end
  if count > 0 then
    redis.call('ZADD', queue .. ':leased', unpack(leases))
  end
  if redis.call('EXISTS', queue .. ':ready') == 1 then
    wake(queue) -- there is more, for whoever waits
  else
    redis.call('DEL', queue .. ':wake')
  end
  local concat = table.concat
  return count, concat(elements, ' ', 1, count), concat(lengths, ' '), concat(bodies, '', 1, count)
end

local found = {}
for i, queue in ipairs(KEYS) do
  if room <= 0 then
    break
  end
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
if #found > 0 then
  return found
end

local due = math.huge
for _, queue in ipairs(KEYS) do
  due = math.min(due, earliest_of(queue))
end
return due == math.huge and -1 or math.max(0, due - now)
