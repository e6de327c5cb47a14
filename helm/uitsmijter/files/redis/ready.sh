#!/bin/sh
# Whether this pod's Redis or Sentinel is ready: ready.sh redis|sentinel. An update continues with the next pod only then,
# so a replica is not ready before it has the master's data.
. "$(dirname "$0")/common.sh"
if [ "$1" = sentinel ]; then
    unset REDISCLI_AUTH
    pong -h "$OWN" -p 26379
else
    redis-cli -h "$OWN" info replication 2>/dev/null | tr -d '\r' | grep -Eq '^(role:master|master_link_status:up)$'
fi
