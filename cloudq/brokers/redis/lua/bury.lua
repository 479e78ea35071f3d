-- KEYS: the queue, its dead-letter queue. ARGV: ahead, the largest body's bytes, whether they are FIFO; of each
-- the receipt, the group, the message with its reason. Answers which were held.
local queue, dead, is_fifo = KEYS[1], KEYS[2], ARGV[3] == '1'
local now, done = time(ARGV[1]), {}
local largest = known(dead)
if not largest then
  return missing(dead)
end
check_types(queue)
check_types(dead)
for i = 4, #ARGV, 3 do
  local was = held(queue, {ARGV[i]}, now)[1]
  if was then
    redis.call('ZREM', queue .. ':leased', ARGV[i])
    local entry = entry_of(ARGV[i])
    redis.call('HDEL', queue .. ':body', entry)
    -- It keeps when it was sent; the letter sets it apart from what is sent to the dead-letter queue itself.
    local grave = entry .. 'd'
    redis.call('HSET', dead .. ':body', grave, ARGV[i + 2])
    measure(dead, tonumber(ARGV[2]), largest)
    if is_fifo then
      move_up(queue, ARGV[i + 1], now)
      line_up(dead, ARGV[i + 1], grave, now, now)
    else
      schedule(dead, grave, now, now)
    end
  end
  done[(i - 1) / 3] = was
end
return answer(done)
