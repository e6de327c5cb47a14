#!/bin/sh
# Before this pod ends: if it is the master, another one takes over while it still answers.
set -u
. "$(dirname "$0")/common.sh"

is_master() { redis-cli -h "$OWN" role 2>/dev/null | head -n 1 | grep -q master; }

is_master || exit 0
# What it accepted after the other one has taken over would be lost. So it accepts nothing more, and what it did accept
# reaches a replica first. Redis' file is written anew before it starts again.
printf 'config set min-replicas-to-write 99\nwait 1 2000\n' | redis-cli -h "$OWN" >/dev/null 2>&1
for peer in $PEERS; do
    # The own Sentinel ends at this moment, too.
    [ "$peer" != "$SELF" ] || continue
    answer=$(REDISCLI_AUTH='' timeout 3 redis-cli -h "$peer" -p 26379 sentinel failover "$MASTER" 2>/dev/null)
    [ "$answer" != OK ] || break
done
attempts=100
while is_master && [ "$attempts" -gt 0 ]; do
    sleep 0.2
    attempts=$((attempts - 1))
done
