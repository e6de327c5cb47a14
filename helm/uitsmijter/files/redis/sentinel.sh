#!/bin/sh
# Starts this pod's Sentinel. What it learns about the others it writes into its own file, which lasts.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
config=$DATA/sentinel.conf

# What it remembers goes when a backup is restored.
while [ -e "$DATA/restore.rdb" ]; do sleep 1; done
if [ ! -s "$config" ]; then
    # Not before there is a master, or another Sentinel that names one: what a Sentinel says, others believe.
    while :; do
        master=$(known_master)
        master=${master:-$(running_master)}
        [ -z "$master" ] || break
        sleep 1
    done
    {
        echo "bind $BIND"
        echo "protected-mode no"
        echo "port 26379"
        echo "dir \"$DATA\""
        # Addresses of pods change, names do not.
        echo "sentinel resolve-hostnames yes"
        echo "sentinel announce-hostnames yes"
        echo "sentinel announce-ip $SELF"
        echo "sentinel monitor $MASTER $master 6379 $QUORUM"
    } >"$config.new"
    mv "$config.new" "$config"
fi

# The password may be another than the last time, and so may the number of pods and how patient they are. Two that are left
# of three may vote each for itself; they try again after twice the failover-timeout.
{
    grep -Ev "^sentinel (auth-pass|down-after-milliseconds|failover-timeout|parallel-syncs) " "$config" |
        sed "s/^\(sentinel monitor $MASTER .*\) [0-9]*$/\1 $QUORUM/"
    echo "sentinel auth-pass $MASTER \"$REDIS_PASSWORD\""
    echo "sentinel down-after-milliseconds $MASTER ${DOWN_AFTER:-5000}"
    echo "sentinel failover-timeout $MASTER 6000"
    echo "sentinel parallel-syncs $MASTER 1"
} >"$config.new"
mv "$config.new" "$config"
# Redis' own variable; a Sentinel without a password does not know what to do with one.
unset REDISCLI_AUTH
exec redis-server "$config" --sentinel
