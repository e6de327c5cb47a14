#!/usr/bin/env bash
# The chart: lint, every values file rendered, checked against the schemas and by check.py, secrets kept over an
# upgrade, alerts, and Redis' scripts with real processes. Installs what is missing (install.sh).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/install.sh"
target=$PWD/target/chart
export PATH=$target/bin:$PATH
chart=helm/uitsmijter
oldest=1.27.0 newest=1.36.0
rendered=$target/rendered
rm -rf "$rendered"
mkdir -p "$rendered"

conforms() { # file, version of Kubernetes
    kubeconform -strict -kubernetes-version "$2" \
        -schema-location "$target/schemas/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json" "$1"
}

for values in "$here"/values/*.yaml; do
    name=$(basename "$values" .yaml)
    helm lint --quiet --strict --kube-version "$newest" --values "$values" "$chart"
    helm template login "$chart" --namespace sso --kube-version "$newest" --values "$values" >"$rendered/$name.yaml"
    conforms "$rendered/$name.yaml" "$newest"
    # What Kubernetes only knows since.
    [ "$name" = slow-balancer ] || conforms "$rendered/$name.yaml" "$oldest"
done
echo "chart: $(ls "$here"/values | wc -l) values files render and conform to Kubernetes $oldest and $newest"

# The schemas are worth something only if they refuse something.
sed 's/maxUnavailable: 0/maxUnavailible: 0/' "$rendered/defaults.yaml" >"$rendered/wrong.yaml"
if conforms "$rendered/wrong.yaml" "$newest" >/dev/null; then echo "chart: kubeconform overlooks a wrong name" >&2; exit 1; fi
rm "$rendered/wrong.yaml"

"$target/python/bin/python" "$here/check.py" "$rendered"
"$target/python/bin/python" "$here/kept.py" "$chart"
if command -v promtool >/dev/null; then promtool check rules "$chart/files/alerts.yaml" >/dev/null; fi
if [ -e docs/alerts.yaml ] && ! cmp -s docs/alerts.yaml "$chart/files/alerts.yaml"; then
    echo "chart: the chart has other alerts than docs/alerts.yaml: cp docs/alerts.yaml $chart/files/" >&2
    exit 1
fi
if command -v redis-server >/dev/null; then
    "$target/python/bin/python" -u "$here/redis.py"
else
    echo "chart: no redis-server here, its scripts were not run"
fi
echo "chart: good"
