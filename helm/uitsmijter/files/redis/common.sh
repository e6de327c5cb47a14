# Shared by the other scripts. Environment variables:
#   SELF      this pod's full name          PEERS   the full names of all pods, including this one
#   MASTER    the name that Sentinels use   QUORUM  how many of them must agree that it is down
#   REDIS_PASSWORD, REDISCLI_AUTH           DATA    the volume        BIND    the addresses to listen on
#   OWN       the address at which the pod reaches itself
DATA=${DATA:-/data}
BIND=${BIND:-* -::*}
OWN=${OWN:-127.0.0.1}
# The port of a pod without data while it waits.
WAITING=6380
# The local port of a pod that waits with a copy that may be incomplete.
HOLDING=6381

pong() { timeout 3 redis-cli "$@" ping 2>/dev/null | grep -q PONG; }

# The master according to the first Sentinel that responds and knows one; nothing if none does.
known_master() {
    for peer in $PEERS; do
        answer=$(REDISCLI_AUTH='' timeout 3 redis-cli -h "$peer" -p 26379 --raw \
            sentinel get-master-addr-by-name "$MASTER" 2>/dev/null | head -n 1) || continue
        case $answer in '' | *' '*) continue ;; esac
        echo "$answer"
        return
    done
}

# The pod whose Redis is a master now, regardless of what Sentinels think; nothing if there is none.
running_master() {
    for peer in $PEERS; do
        role=$(timeout 3 redis-cli -h "$peer" --raw role 2>/dev/null | head -n 1) || continue
        [ "$role" != master ] || { echo "$peer"; return; }
    done
}
