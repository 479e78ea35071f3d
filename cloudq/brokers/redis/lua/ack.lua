-- KEYS: the queue. ARGV: ahead, the receipts. Answers which were held.
local queue, now = KEYS[1], time(table.remove(ARGV, 1))
local done, members, entries, count = held(queue, ARGV, now), {}, {}, 0
for i = 1, #done do
  if done[i] then
    count = count + 1
    members[count], entries[count] = ARGV[i], entry_of(ARGV[i])
  end
end
if count > 0 then
  redis.call('ZREM', queue .. ':leased', unpack(members))
  redis.call('HDEL', queue .. ':body', unpack(entries))
end
return answer(done)
