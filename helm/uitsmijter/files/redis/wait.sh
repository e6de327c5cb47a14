#!/bin/sh
# Ends when there is a master, for other pods that need Redis.
. "$(dirname "$0")/common.sh"
until master=$(known_master) && pong -h "${master:-${PEERS%% *}}"; do sleep 1; done
