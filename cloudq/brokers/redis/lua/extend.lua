-- KEYS: the queue. ARGV: ahead; of each the receipt and the lease. Answers which were held.
local queue, now, done = KEYS[1], time(ARGV[1]), {}
for i = 2, #ARGV, 2 do
  local was = held(queue, {ARGV[i]}, now)[1]
  if was then
    redis.call('ZADD', queue .. ':leased', now + ARGV[i + 1], ARGV[i])
  end
  done[i / 2] = was
end
return answer(done)
