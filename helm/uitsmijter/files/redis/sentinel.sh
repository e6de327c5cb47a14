#!/bin/sh
# Starts this pod's Sentinel. What it learns about the others it writes into its own file, which lasts.
set -eu
umask 077
. "$(dirname "$0")/common.sh"
config=$DATA/sentinel.conf

if [ ! -s "$config" ]; then
    # Not before there is a master: a Sentinel that names one makes the others believe it.
    while :; do
        master=$(known_master)
        master=${master:-${PEERS%% *}}
        if redis-cli -h "$master" ping 2>/dev/null | grep -q PONG; then break; fi
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
        echo "sentinel down-after-milliseconds $MASTER ${DOWN_AFTER:-5000}"
        echo "sentinel failover-timeout $MASTER 15000"
        echo "sentinel parallel-syncs $MASTER 1"
    } >"$config"
fi

# The password may be another than the last time.
grep -v "^sentinel auth-pass " "$config" >"$config.new" || true
echo "sentinel auth-pass $MASTER \"$REDIS_PASSWORD\"" >>"$config.new"
mv "$config.new" "$config"
# Redis' own variable; a Sentinel without a password does not know what to do with one.
unset REDISCLI_AUTH
exec redis-server "$config" --sentinel
