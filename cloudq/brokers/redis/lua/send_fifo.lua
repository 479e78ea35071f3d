-- KEYS: the queue. ARGV: ahead, the largest body's bytes; of each message the deduplication id, for how long
-- that is remembered, the group, the delay, the message.
local queue, count = KEYS[1], (#ARGV - 2) / 5
local largest, earliest = known(queue)
if not largest then
  return missing(queue)
end
local now = time(ARGV[1])
local number = redis.call('HINCRBY', queue, 'sent', count) - count
measure(queue, tonumber(ARGV[2]), largest)
fall_due(queue, now, earliest)
redis.call('ZREMRANGEBYSCORE', queue .. ':seen', '-inf', now)

for i = 3, #ARGV, 5 do
  number = number + 1
  if redis.call('ZADD', queue .. ':seen', 'NX', now + ARGV[i + 1], ARGV[i]) == 1 then
    local entry = string.format('%.0f-%.0f', now, number)
    redis.call('HSET', queue .. ':body', entry, ARGV[i + 4])
    line_up(queue, ARGV[i + 2], entry, now + ARGV[i + 3], now)
  end
end
return count
