//! The verbs that touch more than one thing, as scripts: Redis runs each from beginning to end without interruption.
//!
//! A record is a hash with the fields `value`, `uses` and `groups` (its groups as JSON). A group is a sorted set of
//! keys, scored by the millisecond at which each of them ends; the set itself ends with the highest score, so a later,
//! shorter member never shortens it. Every time is the server's own.
//!
//! A script reaches members that it learns only while it runs. They carry the same hash tag as the key that it was
//! called with, so in a cluster they are on the same node.
//!
//! The first write of every script that writes and removes is one that Redis refuses when it is out of memory or
//! read-only, and Redis checks this before the first write only: a refused script has changed nothing.

use std::sync::LazyLock;

use ::redis::Cmd;

/// A script and the name by which Redis remembers it.
pub(super) struct Script {
    text: String,
    sha1: String,
}

impl Script {
    fn new(body: &str) -> Self {
        let text = format!("{COMMON}{body}");
        let sha1 = ::redis::Script::new(&text).get_hash().to_owned();
        Self { text, sha1 }
    }

    /// A call by name, which fails with `NOSCRIPT` if this Redis has not seen the script yet.
    pub(super) fn by_name(&self, keys: &[String], arguments: &[&[u8]]) -> Cmd {
        call("EVALSHA", &self.sha1, keys, arguments)
    }

    /// A call with the whole text, after which the name is known.
    pub(super) fn by_text(&self, keys: &[String], arguments: &[&[u8]]) -> Cmd {
        call("EVAL", &self.text, keys, arguments)
    }
}

fn call(command: &str, script: &str, keys: &[String], arguments: &[&[u8]]) -> Cmd {
    let mut cmd = ::redis::cmd(command);
    cmd.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    cmd
}

const COMMON: &str = r"
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function groups_of(key)
  local groups = redis.call('HGET', key, 'groups')
  return groups and cjson.decode(groups) or {}
end

local function leave(key, groups)
  for _, group in ipairs(groups) do redis.call('ZREM', group, key) end
end

local function join(key, groups, ends)
  for _, group in ipairs(groups) do
    redis.call('ZREMRANGEBYSCORE', group, '-inf', '(' .. string.format('%.0f', now))
    redis.call('ZADD', group, ends, key)
    local longest = redis.call('ZRANGE', group, -1, -1, 'WITHSCORES')[2]
    if longest == 'inf' then
      redis.call('PERSIST', group)
    else
      redis.call('PEXPIREAT', group, longest)
    end
  end
end
";

/// For each change its key and its groups; and five arguments: what it is, how many groups it has, its value, for how many
/// milliseconds that is kept (nothing: for good), and the value that it expects.
pub(super) static COMMIT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local first, changes = 1, {}
for at = 1, #ARGV, 5 do
  local kind, key, size = ARGV[at], KEYS[first], tonumber(ARGV[at + 1])
  if kind == 'replace' or kind == 'take' then
    if redis.call('HGET', key, 'value') ~= ARGV[at + 4] then return 0 end
  end
  if kind == 'create' and redis.call('EXISTS', key) == 1 then return 0 end
  if kind == 'require' and redis.call('EXISTS', key) == 0 then return 0 end
  if kind == 'use' then
    local found = redis.call('HMGET', key, 'value', 'uses')
    if not found[1] or (found[2] or '0') ~= '0' then return 0 end
  end
  local groups = {unpack(KEYS, first + 1, first + size)}
  changes[#changes + 1] = {kind = kind, key = key, groups = groups, value = ARGV[at + 2], keep = ARGV[at + 3]}
  first = first + 1 + size
end
for _, change in ipairs(changes) do
  local kind, key, groups = change.kind, change.key, change.groups
  if kind == 'use' then
    redis.call('HINCRBY', key, 'uses', 1)
  elseif kind == 'remove' or kind == 'take' then
    local before = groups_of(key)
    redis.call('UNLINK', key)
    leave(key, before)
  elseif kind ~= 'require' then
    local before, ends = groups_of(key), '+inf'
    redis.call('HSET', key, 'value', change.value, 'groups', cjson.encode(groups))
    if kind == 'put' then redis.call('HSET', key, 'uses', 0) end
    if change.keep == '' then
      redis.call('PERSIST', key)
    else
      ends = string.format('%.0f', now + change.keep)
      redis.call('PEXPIREAT', key, ends)
    end
    leave(key, before)
    join(key, groups, ends)
  end
end
return 1
",
    )
});

/// Key.
pub(super) static CONSUME: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
return {redis.call('HINCRBY', KEYS[1], 'uses', 1), redis.call('HGET', KEYS[1], 'value')}
",
    )
});

/// Group.
pub(super) static MEMBERS: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local values = {}
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now), '+inf')) do
  local value = redis.call('HGET', key, 'value')
  if value then values[#values + 1] = value end
end
return values
",
    )
});

/// Group; where the last page ended (the end of its last member, and its key; both empty for the first one), and how many
/// members a page has. Answers where this page ends (empty for the last one), and values.
///
/// The order is that of the set: by end, then by key. A page costs as much as it shows, wherever it begins: what lies
/// before it is counted, and among members of one end a binary search finds the place, also of a key that is gone.
pub(super) static PAGE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local group, ends, key, limit = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local function comes_after(one, other)
  -- As Redis compares them: `<` of Lua goes by the language of the server.
  for at = 1, math.min(#one, #other) do
    local a, b = string.byte(one, at), string.byte(other, at)
    if a ~= b then return a > b end
  end
  return #one > #other
end
local living = string.format('%.0f', now)
if ends ~= '' and ends ~= 'inf' and tonumber(ends) < now then ends = '' end
local first = redis.call('ZCOUNT', group, '-inf', '(' .. (ends == '' and living or ends))
if ends ~= '' then
  local last = first + redis.call('ZCOUNT', group, ends, ends)
  while first < last do
    local middle = math.floor((first + last) / 2)
    if comes_after(redis.call('ZRANGE', group, middle, middle)[1], key) then last = middle else first = middle + 1 end
  end
end
local found, values, next = redis.call('ZRANGE', group, first, first + limit - 1, 'WITHSCORES'), {}, ''
for at = 1, #found, 2 do
  local value = redis.call('HGET', found[at], 'value')
  if value then values[#values + 1] = value end
end
if #found == 2 * limit then next = found[#found] .. ' ' .. found[#found - 1] end
return {next, values}
",
    )
});

/// Group.
pub(super) static COUNT: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('ZCOUNT', KEYS[1], string.format('%.0f', now), '+inf')\n"));

/// Group.
pub(super) static REMOVE_GROUP: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
for _, key in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now), '+inf')) do
  local groups = groups_of(key)
  redis.call('UNLINK', key)
  leave(key, groups)
end
redis.call('UNLINK', KEYS[1])
return 1
",
    )
});

/// Key.
pub(super) static REMOVE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
local groups = groups_of(KEYS[1])
local removed = redis.call('UNLINK', KEYS[1])
leave(KEYS[1], groups)
return removed
",
    )
});
