#!/bin/sh
# Starts this pod's Redis: as a replica of whoever is the master, or as the master.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
config=$DATA/redis.conf

# A log alone says nothing: Redis begins one at its start, and a new replica has no data before its first copy is complete.
is_empty() { [ ! -e "$DATA/appendonlydir" ] || [ -e "$DATA/incomplete" ]; }

# Nobody may choose a replica as the master before it has what the master has.
complete() {
    until redis-cli -h "$OWN" info replication 2>/dev/null | grep -q '^master_link_status:up'; do sleep 1; done
    rm -f "$DATA/incomplete"
    redis-cli -h "$OWN" config set replica-priority 100
}

# With an append-only log, Redis reads no dump.rdb; as the first part of that log it does. Fails, and changes nothing, where
# the file is damaged.
adopt() {
    log=$DATA/log.new
    rm -rf "$log"
    mkdir "$log"
    echo "file appendonly.aof.1.base.rdb seq 1 type b" >"$log/appendonly.aof.manifest"
    cp "$1" "$log/appendonly.aof.1.base.rdb" && redis-check-rdb "$1" >/dev/null || return 1
    # `redis-cli --rdb -` leaves the mark behind it by which it knew the end.
    end=$(redis-check-aof "$log/appendonly.aof.manifest" | sed -n 's/.* ok_up_to=\([0-9]*\),.*/\1/p')
    [ -n "$end" ] && truncate -s "$end" "$log/appendonly.aof.1.base.rdb" || return 1
    redis-check-aof "$log/appendonly.aof.manifest" >/dev/null || return 1
    rm -rf "$DATA/dump.rdb" "$DATA/appendonlydir"
    mv "$log" "$DATA/appendonlydir"
    rm -f "$DATA/incomplete"
}

# A backup that somebody put here takes the place of everything, also of who was the master. Not while there is one: it
# would hand its own data over the next moment.
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

# What Redis itself wrote down when it was last told whom to follow.
remembered_master() {
    master=$(sed -n 's/^replicaof \([^ ]*\) .*/\1/p' "$config" 2>/dev/null | tail -n 1)
    echo "${master:-$SELF}"
}

all_are_empty() {
    for peer in $PEERS; do pong -h "$peer" -p $WAITING || return 1; done
}

# A master without data would empty its replicas. So a pod without data follows another one, and becomes the master only
# where all say that they have nothing either: at the very first start. A copy that is not known to be complete is perhaps
# all that is left: whoever has one waits where nobody else asks.
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
        # One that does not answer is perhaps without data as well, and waits; a replica of it could be chosen in its place.
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
    # Better no Redis than one that says it is empty.
    adopt "$DATA/dump.rdb" || { echo "dump.rdb is damaged"; exit 1; }
fi
if ! is_empty; then
    # Where everything was down, the Sentinels put right what is out of date in what is remembered.
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
    # Sessions, grants and keys are no cache: nothing may be dropped to make room.
    echo "maxmemory-policy noeviction"
    echo "appendonly yes"
    echo "appendfsync ${APPENDFSYNC:-everysec}"
    # Without it, a replica that has just got a copy overhears the signal, and is killed a minute later.
    echo "shutdown-on-sigterm nosave force"
    if [ "$PEERS" != "$SELF" ]; then
        # A master that nobody follows any more has perhaps been replaced: what it accepts now would be lost.
        echo "min-replicas-to-write 1"
        echo "min-replicas-max-lag 10"
        # Until one follows, nothing is written: it must not wait for others that may want a copy, too.
        echo "repl-diskless-sync-delay 0"
    fi
    [ "$master" = "$SELF" ] || echo "replicaof $master 6379"
    [ ! -e "$DATA/incomplete" ] || echo "replica-priority 0"
} >"$config.new"
mv "$config.new" "$config"

if [ "$master" = "$SELF" ]; then echo "starting as the master"; else echo "starting as a replica of $master"; fi
[ ! -e "$DATA/incomplete" ] || complete >/dev/null 2>&1 &
exec redis-server "$config"
