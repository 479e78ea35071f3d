-- KEYS: the queue. ARGV: ahead; of each the receipt and the lease. Answers which were held.
-- A lease is removed and made anew: a server without memory lets no script begin with what may need some.
local queue, now, done = KEYS[1], time(ARGV[1]), {}
local first = math.huge
for i = 2, #ARGV, 2 do
  local was = held(queue, {ARGV[i]}, now)[1]
  if was then
    redis.call('ZREM', queue .. ':leased', ARGV[i])
    redis.call('ZADD', queue .. ':leased', now + ARGV[i + 1], ARGV[i])
    first = math.min(first, now + ARGV[i + 1])
  end
  done[i / 2] = was
end
local _, earliest = known(queue)
expect(queue, first, earliest)
return answer(done)
