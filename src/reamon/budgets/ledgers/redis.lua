-- What a ledger does, as one step that nothing comes in between. Called with an operation and a request in JSON.
--
-- Lua's numbers are doubles, exact to 2^53: in trillionths of a dollar that is 9007 USD. So an amount is two numbers,
-- whole millionths of a dollar and what is left in trillionths (0 to 999999), exact to 9 thousand million USD.
--
-- KEYS: generation, the note of a writer or of a settled reservation, then four for each account: its record (hash),
-- the reservations of its budget and scope (hash), its periods (sorted by start), and its budget's records (sorted by
-- when they were written to). Times are milliseconds.

local operation, request = ARGV[1], cjson.decode(ARGV[2])
local now, accounts = request.now, request.accounts
local MILLION = 1000000
local PATIENCE = 3600000 -- for which an expired reservation is kept: the clocks of machines differ

local function sum(a, b)
  local rest = a[2] + b[2]
  local carried = math.floor(rest / MILLION)
  return {a[1] + b[1] + carried, rest - carried * MILLION}
end

local function minus(a, b) return sum(a, {-b[1], -b[2]}) end
local function less(a, b) return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]) end
local function text(number) return string.format('%.0f', number) end
local function key(n, which) return KEYS[2 + 4 * (n - 1) + which] end
local function record(n) return key(n, 1) end
local function holds(n) return key(n, 2) end

local function amount(n, field)
  local parts = redis.call('HMGET', record(n), field .. '_micros', field .. '_rest')
  return {tonumber(parts[1] or 0), tonumber(parts[2] or 0)}
end

local function write(n, field, value)
  redis.call('HSET', record(n), field .. '_micros', text(value[1]), field .. '_rest', text(value[2]))
end

local function touch(n)
  redis.call('ZADD', key(n, 3), accounts[n].start, record(n))
  redis.call('ZADD', key(n, 4), now, cjson.encode({record(n), holds(n), key(n, 3)}))
end

local function read_hold(text)
  local micros, rest, start, expires = string.match(text, '^(%S+) (%S+) (%S+) (%S+)$')
  return {amount = {tonumber(micros), tonumber(rest)}, start = tonumber(start), expires = tonumber(expires)}
end

local function hold(n, id)
  local found = redis.call('HGET', holds(n), id)
  return found and read_hold(found)
end

local function write_hold(n, id, value, start, expires)
  local fields = {text(value[1]), text(value[2]), text(start), text(expires)}
  redis.call('HSET', holds(n), id, table.concat(fields, ' '))
end

local function reserved(n, but)
  local total = {0, 0}
  local every = redis.call('HGETALL', holds(n))
  for position = 1, #every, 2 do
    local id, found = every[position], read_hold(every[position + 1])
    if found.expires + PATIENCE <= now then
      redis.call('HDEL', holds(n), id)
    elseif found.expires > now and found.start == accounts[n].start and id ~= but then
      total = sum(total, found.amount)
    end
  end
  return total
end

local function balance(n, but)
  return {spent = amount(n, 'spent'), reserved = reserved(n, but), stated = amount(n, 'stated'),
          unknown = tonumber(redis.call('HGET', record(n), 'unknown') or 0)}
end

local function shown(value) return {text(value[1]), text(value[2])} end

local function balances(found)
  local list = {}
  for n, one in ipairs(found) do
    list[n] = {shown(one.spent), shown(one.reserved), shown(one.stated), text(one.unknown)}
  end
  return list
end

local function greater_of(a, b) if less(a, b) then return b end return a end

local run = {}

function run.read()
  local found = {}
  for n = 1, #accounts do found[n] = balance(n) end
  return balances(found)
end

function run.charge()
  if tonumber(redis.call('GET', KEYS[2]) or 0) >= request.sequence then return false end
  for _, charge in ipairs(request.charges) do
    local n = charge.account
    write(n, 'spent', sum(amount(n, 'spent'), charge.amount))
    redis.call('HINCRBY', record(n), 'unknown', charge.unknown)
    local found = charge.call and less({0, 0}, charge.amount) and hold(n, charge.call)
    if found then
      local rest = greater_of(minus(found.amount, charge.amount), {0, 0})
      write_hold(n, charge.call, rest, math.max(found.start, accounts[n].start), found.expires)
    end
  end
  for n = 1, #accounts do touch(n) end
  redis.call('SET', KEYS[2], text(request.sequence), 'PX', request.keep)
  return true
end

function run.reserve()
  local found, refused = {}, 0
  for n = 1, #accounts do
    found[n] = balance(n, request.id)
    local used, claim = sum(found[n].spent, found[n].reserved), accounts[n]
    local is_full = claim.limit and less(claim.limit, sum(used, request.amount))
    local is_stopped = claim.stop and not less(used, claim.stop)
    if refused == 0 and (is_full or is_stopped) then refused = n end
  end
  if refused == 0 then
    redis.call('DEL', KEYS[2])
    for n = 1, #accounts do
      write_hold(n, request.id, request.amount, accounts[n].start, request.expires)
      touch(n)
    end
  end
  return {refused, balances(found)}
end

function run.settle()
  if not redis.call('SET', KEYS[2], '1', 'NX', 'PX', request.keep) then return false end
  for n = 1, #accounts do
    redis.call('HDEL', holds(n), request.id)
    write(n, 'spent', sum(amount(n, 'spent'), request.actual))
    write(n, 'stated', sum(amount(n, 'stated'), request.actual))
    touch(n)
  end
  return true
end

function run.lapse()
  for n = 1, #accounts do
    local found = hold(n, request.id)
    if found and found.expires > request.at then
      write_hold(n, request.id, found.amount, found.start, request.at)
    end
  end
  return true
end

function run.cross()
  touch(1)
  return redis.call('HSETNX', record(1), 'crossed ' .. request.mark, text(now)) == 1
end

function run.history()
  local list = {}
  local earlier = redis.call('ZREVRANGEBYSCORE', key(1, 3), '(' .. text(accounts[1].start), '-inf')
  for _, other in ipairs(earlier) do
    local parts = redis.call('HMGET', other, 'spent_micros', 'spent_rest')
    local spent = {tonumber(parts[1] or 0), tonumber(parts[2] or 0)}
    if less({0, 0}, spent) then list[#list + 1] = shown(spent) end
    if #list == request.count then break end
  end
  return list
end

function run.restore()
  local known = request.balance
  for _, field in ipairs({'spent', 'stated'}) do
    local restored = amount(1, 'restored_' .. field)
    local more = greater_of(minus(known[field], restored), {0, 0})
    write(1, field, sum(amount(1, field), more))
    write(1, 'restored_' .. field, sum(restored, more))
  end
  local restored = tonumber(redis.call('HGET', record(1), 'restored_unknown') or 0)
  local more = math.max(known.unknown - restored, 0)
  redis.call('HINCRBY', record(1), 'unknown', more)
  redis.call('HINCRBY', record(1), 'restored_unknown', more)
  touch(1)
  return true
end

function run.rebuild()
  write(1, 'spent', sum(amount(1, 'stated'), request.spent))
  redis.call('HSET', record(1), 'unknown', text(request.unknown))
  touch(1)
  return true
end

function run.forget()
  local count = 0
  for position, before in ipairs(request.before) do
    local index = KEYS[2 + position]
    for _, member in ipairs(redis.call('ZRANGEBYSCORE', index, '-inf', '(' .. text(before))) do
      local keys = cjson.decode(member)
      redis.call('DEL', keys[1])
      redis.call('ZREM', keys[3], keys[1])
      redis.call('ZREM', index, member)
      if redis.call('ZCARD', keys[3]) == 0 then redis.call('DEL', keys[2]) end
      count = count + 1
    end
  end
  return text(count)
end

redis.call('SET', KEYS[1], request.generation, 'NX')
return cjson.encode({redis.call('GET', KEYS[1]), run[operation]()})
