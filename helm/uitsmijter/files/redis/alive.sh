#!/bin/sh
# Whether this pod's Redis or Sentinel is alive: alive.sh redis|sentinel. One that waits for a master counts as alive.
. "$(dirname "$0")/common.sh"
if [ "$1" = sentinel ]; then
    unset REDISCLI_AUTH
    [ ! -s "$DATA/sentinel.conf" ] || [ -e "$DATA/restore.rdb" ] || pong -h "$OWN" -p 26379
else
    # So does one that is still loading its data.
    redis-cli -h "$OWN" ping 2>/dev/null | grep -Eq 'PONG|LOADING|MASTERDOWN' ||
        pong -h "$OWN" -p $WAITING || pong -h "$OWN" -p $HOLDING
fi
