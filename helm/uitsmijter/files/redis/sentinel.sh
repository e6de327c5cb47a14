#!/bin/sh
# Starts this pod's Sentinel, which stores what it learns about the others in its own file.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
config=$DATA/sentinel.conf

# Restoring a backup deletes that file.
while [ -e "$DATA/restore.rdb" ]; do sleep 1; done
if [ ! -s "$config" ]; then
    # Wait until there is a master, or a Sentinel that names one, because others trust what this one says.
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

# The password, the number of pods and the timeouts may have changed. The two that are left of three may each vote for
# themselves; they try again after twice the failover-timeout.
{
    grep -Ev "^sentinel (auth-pass|down-after-milliseconds|failover-timeout|parallel-syncs) " "$config" |
        sed "s/^\(sentinel monitor $MASTER .*\) [0-9]*$/\1 $QUORUM/"
    echo "sentinel auth-pass $MASTER \"$REDIS_PASSWORD\""
    echo "sentinel down-after-milliseconds $MASTER ${DOWN_AFTER:-5000}"
    echo "sentinel failover-timeout $MASTER 6000"
    echo "sentinel parallel-syncs $MASTER 1"
} >"$config.new"
mv "$config.new" "$config"
# redis-cli's variable; a Sentinel without a password rejects one.
unset REDISCLI_AUTH
exec redis-server "$config" --sentinel
