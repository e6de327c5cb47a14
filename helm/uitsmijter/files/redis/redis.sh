#!/bin/sh
# Starts this pod's Redis, as a replica of the master or as the master.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
config=$DATA/redis.conf

# A log alone proves nothing: Redis creates one at start, and a new replica has no data before its first copy is complete.
is_empty() { [ ! -e "$DATA/appendonlydir" ] || [ -e "$DATA/incomplete" ]; }

# No replica may be promoted before it has the master's data.
complete() {
    until redis-cli -h "$OWN" info replication 2>/dev/null | grep -q '^master_link_status:up'; do sleep 1; done
    rm -f "$DATA/incomplete"
    redis-cli -h "$OWN" config set replica-priority 100
}

# With an append-only log, Redis ignores dump.rdb, but reads it as the first part of that log. Fails, and changes nothing,
# if the file is damaged.
adopt() {
    log=$DATA/log.new
    rm -rf "$log"
    mkdir "$log"
    echo "file appendonly.aof.1.base.rdb seq 1 type b" >"$log/appendonly.aof.manifest"
    cp "$1" "$log/appendonly.aof.1.base.rdb" && redis-check-rdb "$1" >/dev/null || return 1
    # `redis-cli --rdb -` appends the marker by which it recognized the end.
    end=$(redis-check-aof "$log/appendonly.aof.manifest" | sed -n 's/.* ok_up_to=\([0-9]*\),.*/\1/p')
    [ -n "$end" ] && truncate -s "$end" "$log/appendonly.aof.1.base.rdb" || return 1
    redis-check-aof "$log/appendonly.aof.manifest" >/dev/null || return 1
    rm -rf "$DATA/dump.rdb" "$DATA/appendonlydir"
    mv "$log" "$DATA/appendonlydir"
    rm -f "$DATA/incomplete"
}

# A backup put here replaces everything, also who was the master. Not while there is a master: this pod would be overwritten
# with its data at once.
restore() {
    backup=$DATA/restore.rdb
    if [ -n "$(known_master)" ] || [ -n "$(running_master)" ]; then
        echo "restore.rdb is not used: there is a master. Stop all pods first"
        mv "$backup" "$backup.refused"
    elif adopt "$backup"; then
        rm -f "$config" "$DATA/sentinel.conf" "$backup"
        echo "restore.rdb was restored"
    else
        echo "restore.rdb is not used: it is damaged"
        mv "$backup" "$backup.refused"
    fi
}

# The master that Redis last recorded in its configuration.
remembered_master() {
    master=$(sed -n 's/^replicaof \([^ ]*\) .*/\1/p' "$config" 2>/dev/null | tail -n 1)
    echo "${master:-$SELF}"
}

all_are_empty() {
    for peer in $PEERS; do pong -h "$peer" -p $WAITING || return 1; done
}

# A master without data would empty its replicas. So a pod without data follows another one, and becomes the master only
# if all report that they have none either: at the very first start. A copy that may be incomplete is perhaps all that is
# left: a pod that has one waits on a port that nobody else asks.
wait_for_master() {
    port=$WAITING
    [ ! -e "$DATA/appendonlydir" ] || port=$HOLDING
    printf 'bind %s\nport %s\nprotected-mode no\nrequirepass "%s"\nsave ""\ndir "%s"\n' \
        "$BIND" "$port" "$REDIS_PASSWORD" "$DATA" | redis-server - >/dev/null &
    waiting=$!
    trap 'kill "$waiting" 2>/dev/null; exit 143' TERM INT
    echo "no data here: waiting for a master, or for all others to be without data. If they never come, and what they" \
        "had is lost: touch $DATA/begin-empty"
    while :; do
        # One that does not respond may be waiting without data as well; a replica of it could be promoted in its place.
        master=$(known_master)
        if [ -n "$master" ] && [ "$master" != "$SELF" ] && pong -h "$master"; then break; fi
        if [ -e "$DATA/begin-empty" ] || { [ "$SELF" = "${PEERS%% *}" ] && all_are_empty; }; then
            master=$SELF
            break
        fi
        sleep 1
    done
    kill "$waiting"
    wait "$waiting" || true
    trap - TERM INT
    rm -f "$DATA/begin-empty" "$DATA/incomplete"
    [ "$master" = "$SELF" ] || touch "$DATA/incomplete"
}

if [ -e "$DATA/restore.rdb" ]; then
    restore
elif [ ! -e "$DATA/appendonlydir" ] && [ -e "$DATA/dump.rdb" ]; then
    # Better no Redis than an empty one.
    adopt "$DATA/dump.rdb" || { echo "dump.rdb is damaged"; exit 1; }
fi
if ! is_empty; then
    # If everything was down, the Sentinels correct a recorded master that is out of date.
    master=$(known_master)
    master=${master:-$(remembered_master)}
elif [ "$PEERS" = "$SELF" ]; then
    master=$SELF
else
    wait_for_master
fi

{
    echo "bind $BIND"
    echo "protected-mode no"
    echo "port 6379"
    echo "dir \"$DATA\""
    echo "requirepass \"$REDIS_PASSWORD\""
    echo "masterauth \"$REDIS_PASSWORD\""
    echo "replica-announce-ip $SELF"
    # Sessions, grants and keys are not a cache: nothing may be evicted.
    echo "maxmemory-policy noeviction"
    echo "appendonly yes"
    echo "appendfsync ${APPENDFSYNC:-everysec}"
    # Without it, a replica that has just received a copy ignores the signal, and is killed a minute later.
    echo "shutdown-on-sigterm nosave force"
    if [ "$PEERS" != "$SELF" ]; then
        # A master without replicas may have been replaced: what it accepts now would be lost.
        echo "min-replicas-to-write 1"
        echo "min-replicas-max-lag 10"
        # Nothing is written until a replica follows, so it must not wait for others that may want a copy, too.
        echo "repl-diskless-sync-delay 0"
    fi
    [ "$master" = "$SELF" ] || echo "replicaof $master 6379"
    [ ! -e "$DATA/incomplete" ] || echo "replica-priority 0"
} >"$config.new"
mv "$config.new" "$config"

if [ "$master" = "$SELF" ]; then echo "starting as the master"; else echo "starting as a replica of $master"; fi
[ ! -e "$DATA/incomplete" ] || complete >/dev/null 2>&1 &
exec redis-server "$config"
