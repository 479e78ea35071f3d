-- KEYS: the queue. ARGV: ahead, the largest body's bytes, how many are delayed; of those the delay and the
-- message, of the others the message alone.
local queue, delayed = KEYS[1], tonumber(ARGV[3])
local largest, earliest = known(queue)
if not largest then
  return missing(queue)
end
local now, count = time(ARGV[1]), #ARGV - 3 - delayed
-- Before anything else is written, so that a server without memory refuses it all.
local first = redis.call('HINCRBY', queue, 'sent', count) - count
local prefix = string.format('%.0f-', now)
measure(queue, tonumber(ARGV[2]), largest)
local has_due = now >= earliest
fall_due(queue, now, earliest) -- what fell due before these came stands before them

local bodies, ready = {}, {}
for i = 1, count do
  local entry = prefix .. (first + i)
  local at = i <= delayed and 3 + 2 * i or 3 + delayed + i
  bodies[2 * i - 1], bodies[2 * i] = entry, ARGV[at]
  if i > delayed then
    ready[#ready + 1] = entry
  end
end
redis.call('HSET', queue .. ':body', unpack(bodies))
for i = 1, delayed do
  schedule(queue, bodies[2 * i - 1], now + ARGV[2 + 2 * i], now)
end
if #ready > 0 then
  local waiting = redis.call('RPUSH', queue .. ':ready', unpack(ready))
  if waiting == #ready or has_due then
    wake(queue) -- else whoever is to be woken was, when the first of those before came
  end
end
return count
