-- KEYS: the queue. ARGV: ahead, the largest body's bytes; of each the receipt, the delay, 1 where it shall not
-- count, the message where it changes. Answers which were held. The lease ends first, as in `extend`.
local queue, now, done = KEYS[1], time(ARGV[1]), {}
check_types(queue)
for i = 3, #ARGV, 4 do
  local was = held(queue, {ARGV[i]}, now)[1]
  if was then
    redis.call('ZREM', queue .. ':leased', ARGV[i])
    local entry, receives = string.match(ARGV[i], '^([^:]+):(%d+):')
    receives = receives - ARGV[i + 2]
    if #ARGV[i + 3] > 0 then
      redis.call('HSET', queue .. ':body', entry, ARGV[i + 3])
      measure(queue, tonumber(ARGV[2]), (known(queue)))
    end
    schedule(queue, receives > 0 and entry .. ':' .. receives or entry, now + ARGV[i + 1], now)
  end
  done[(i + 1) / 4] = was
end
return answer(done)
