#!/bin/sh
# Before this pod ends: if it is the master, another one takes over while it still answers.
set -u
. "$(dirname "$0")/common.sh"

is_master() { redis-cli role 2>/dev/null | head -n 1 | grep -q master; }

is_master || exit 0
for peer in $PEERS; do
    # The own Sentinel ends at this moment, too.
    [ "$peer" != "$SELF" ] || continue
    answer=$(REDISCLI_AUTH='' timeout 3 redis-cli -h "$peer" -p 26379 sentinel failover "$MASTER" 2>/dev/null)
    [ "$answer" != OK ] || break
done
attempts=20
while is_master && [ "$attempts" -gt 0 ]; do
    sleep 1
    attempts=$((attempts - 1))
done
