-- KEYS: the queue, its dead-letter queue. ARGV: ahead, how many to ask for their age.
-- Answers all messages, leased ones, delayed ones, dead ones, and the age of the oldest ready one; -1 for none.
local queue, dead, now = KEYS[1], KEYS[2], time(ARGV[1])
if redis.call('EXISTS', queue) == 0 then
  return missing(queue)
end
local function ahead(name)
  return redis.call('ZCOUNT', queue .. name, string.format('(%.0f', now), '+inf')
end
local oldest = math.huge
local function ask(members)
  for _, member in ipairs(members) do
    oldest = math.min(oldest, tonumber(string.match(member, '^%d+')) or oldest)
  end
end
ask(redis.call('LRANGE', queue .. ':ready', 0, ARGV[2] - 1))
for _, name in ipairs({':leased', ':delayed'}) do
  ask(redis.call('ZRANGEBYSCORE', queue .. name, '-inf', now, 'LIMIT', 0, ARGV[2]))
end
return {
  redis.call('HLEN', queue .. ':body'),
  ahead(':leased'),
  ahead(':delayed') + ahead(':later'),
  redis.call('HLEN', dead .. ':body'),
  oldest == math.huge and -1 or math.max(0, now - oldest),
}
