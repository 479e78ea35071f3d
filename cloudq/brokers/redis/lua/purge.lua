-- KEYS: the queue.
local queue = KEYS[1]
if redis.call('EXISTS', queue) == 0 then
  return missing(queue)
end
for _, group in ipairs(redis.call('HKEYS', queue .. ':groups')) do
  redis.call('UNLINK', queue .. ':behind:' .. group)
end
for _, name in ipairs({'ready', 'delayed', 'leased', 'body', 'wake', 'groups', 'later', 'seen'}) do
  redis.call('UNLINK', queue .. ':' .. name)
end
redis.call('HSET', queue, 'largest', 0)
redis.call('HDEL', queue, 'due')
return 0
