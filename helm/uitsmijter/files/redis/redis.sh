#!/bin/sh
# Starts this pod's Redis: as a replica of whoever is the master, or as the master.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
config=$DATA/redis.conf

is_empty() { [ ! -e "$DATA/appendonlydir" ] && [ ! -e "$DATA/dump.rdb" ]; }

# What Redis itself wrote down when it was last told whom to follow.
remembered_master() {
    master=$(sed -n 's/^replicaof \([^ ]*\) .*/\1/p' "$config" 2>/dev/null | tail -n 1)
    echo "${master:-$SELF}"
}

master=$(known_master)
if [ -n "$master" ]; then
    # A master without data would empty its replicas. The Sentinels will notice that it is away, and choose another;
    # if they do not, there is none, and nothing to lose.
    attempts=60
    while is_empty && [ "$master" = "$SELF" ] && [ "$attempts" -gt 0 ]; do
        sleep 1
        attempts=$((attempts - 1))
        master=$(known_master)
        master=${master:-$SELF}
    done
elif ! is_empty; then
    # Everything was down. The Sentinels put right what is out of date in this.
    master=$(remembered_master)
else
    # The very first start; or the others start at this moment, too, and one of them knows more.
    for attempt in 1 2 3; do
        sleep 1
        master=$(known_master)
        [ -z "$master" ] || break
    done
    master=${master:-${PEERS%% *}}
fi

{
    echo "bind $BIND"
    echo "protected-mode no"
    echo "port 6379"
    echo "dir \"$DATA\""
    echo "requirepass \"$REDIS_PASSWORD\""
    echo "masterauth \"$REDIS_PASSWORD\""
    echo "replica-announce-ip $SELF"
    # Sessions, grants and keys are no cache: nothing may be dropped to make room.
    echo "maxmemory-policy noeviction"
    echo "appendonly yes"
    echo "appendfsync ${APPENDFSYNC:-everysec}"
    if [ "$PEERS" != "$SELF" ]; then
        # A master that nobody follows any more has perhaps been replaced: what it accepts now would be lost.
        echo "min-replicas-to-write 1"
        echo "min-replicas-max-lag 10"
    fi
    [ "$master" = "$SELF" ] || echo "replicaof $master 6379"
} >"$config.new"
mv "$config.new" "$config"

if [ "$master" = "$SELF" ]; then echo "starting as the master"; else echo "starting as a replica of $master"; fi
exec redis-server "$config"
