# What the scripts beside it share. They are told by the environment:
#   SELF      this pod's full name          PEERS   the full names of all pods, this one too
#   MASTER    the name that Sentinels use   QUORUM  how many of them must agree that it is down
#   REDIS_PASSWORD, REDISCLI_AUTH           DATA    the volume        BIND    the addresses to listen on
DATA=${DATA:-/data}
BIND=${BIND:-* -::*}

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
