-- KEYS: the queue. ARGV: ahead, the limit. Answers, of what is ready, each message's element and the message.
local queue, now, limit = KEYS[1], time(ARGV[1]), tonumber(ARGV[2])
local largest, earliest = known(queue)
if not largest then
  return missing(queue)
end
fall_due(queue, now, earliest)
local elements = redis.call('LRANGE', queue .. ':ready', 0, limit - 1)
for _, group in ipairs(redis.call('HKEYS', queue .. ':groups')) do
  for _, waiting in ipairs(redis.call('LRANGE', queue .. ':behind:' .. group, 0, limit - 1)) do
    local due, entry = string.match(waiting, '^(%d+) (.*)$')
    if tonumber(due) <= now then
      elements[#elements + 1] = entry
    end
  end
end
local seen = {}
for i = 1, math.min(limit, #elements) do
  local element = elements[i]
  local body = redis.call('HGET', queue .. ':body', entry_of(element) or '')
  if body then
    seen[#seen + 1] = element
    seen[#seen + 1] = body
  end
end
return seen
