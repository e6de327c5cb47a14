# What the scripts beside it share. They are told by the environment:
#   SELF      this pod's full name          PEERS   the full names of all pods, this one too
#   MASTER    the name that Sentinels use   QUORUM  how many of them must agree that it is down
#   REDIS_PASSWORD, REDISCLI_AUTH           DATA    the volume        BIND    the addresses to listen on
#   OWN       where the pod asks itself
DATA=${DATA:-/data}
BIND=${BIND:-* -::*}
OWN=${OWN:-127.0.0.1}
# Where a pod without data answers as long as it waits.
WAITING=6380
# Where one answers itself alone that waits with a copy which is perhaps incomplete.
HOLDING=6381

pong() { timeout 3 redis-cli "$@" ping 2>/dev/null | grep -q PONG; }

# The master as the first Sentinel that answers knows it; nothing when none does. A Sentinel that does not know is none.
known_master() {
    for peer in $PEERS; do
        answer=$(REDISCLI_AUTH='' timeout 3 redis-cli -h "$peer" -p 26379 --raw \
            sentinel get-master-addr-by-name "$MASTER" 2>/dev/null | head -n 1) || continue
        case $answer in '' | *' '*) continue ;; esac
        echo "$answer"
        return
    done
}

# The pod whose Redis is a master now, whatever Sentinels think; nothing when there is none.
running_master() {
    for peer in $PEERS; do
        role=$(timeout 3 redis-cli -h "$peer" --raw role 2>/dev/null | head -n 1) || continue
        [ "$role" != master ] || { echo "$peer"; return; }
    done
}
