#!/bin/sh
# Before this pod stops: if it is the master, another one takes over while it is still up.
set -u
. "$(dirname "$0")/common.sh"

is_master() { redis-cli -h "$OWN" role 2>/dev/null | head -n 1 | grep -q master; }

is_master || exit 0
# Writes accepted after the other one has taken over would be lost. So it accepts no more, and waits until a replica has
# them all. The next start writes Redis' configuration again.
printf 'config set min-replicas-to-write 99\nwait 1 2000\n' | redis-cli -h "$OWN" >/dev/null 2>&1
for peer in $PEERS; do
    # This pod's Sentinel is stopping, too.
    [ "$peer" != "$SELF" ] || continue
    answer=$(REDISCLI_AUTH='' timeout 3 redis-cli -h "$peer" -p 26379 sentinel failover "$MASTER" 2>/dev/null)
    [ "$answer" != OK ] || break
done
attempts=100
while is_master && [ "$attempts" -gt 0 ]; do
    sleep 0.2
    attempts=$((attempts - 1))
done
