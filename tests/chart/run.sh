#!/usr/bin/env bash
# The chart: lint, every values file rendered, checked against the schemas and by check.py, secrets kept over an
# upgrade, what documents say, alerts, and Redis' scripts with real processes, alone and with the server. Installs what is
# missing (install.sh), and fails where something still is.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."
"$here/install.sh"
[ -x target/debug/uitsmijter ] || cargo build --quiet
target=$PWD/target/chart
export PATH=$target/bin:$PATH
chart=helm/uitsmijter
oldest=1.27.0 newest=1.36.0
rendered=$target/rendered
rm -rf "$rendered"
mkdir -p "$rendered/oldest"

conforms() { # file, version of Kubernetes
    kubeconform -strict -kubernetes-version "$2" \
        -schema-location "$target/schemas/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json" "$1"
}

for values in "$here"/values/*.yaml; do
    name=$(basename "$values" .yaml)
    helm lint --quiet --strict --kube-version "$newest" --values "$values" "$chart"
    helm template login "$chart" --namespace sso --kube-version "$newest" --values "$values" >"$rendered/$name.yaml"
    conforms "$rendered/$name.yaml" "$newest"
    helm template login "$chart" --namespace sso --kube-version "$oldest" --values "$values" >"$rendered/oldest/$name.yaml"
    conforms "$rendered/oldest/$name.yaml" "$oldest"
done
echo "chart: $(ls "$here"/values | wc -l) values files render and conform to Kubernetes $oldest and $newest"

# The schemas are worth something only if they refuse something.
sed 's/maxUnavailable: 0/maxUnavailible: 0/' "$rendered/defaults.yaml" >"$rendered/wrong.yaml"
if conforms "$rendered/wrong.yaml" "$newest" >/dev/null; then echo "chart: kubeconform overlooks a wrong name" >&2; exit 1; fi
rm "$rendered/wrong.yaml"

"$target/python/bin/python" "$here/check.py" "$rendered"
"$target/python/bin/python" "$here/kept.py" "$chart"
"$target/python/bin/python" "$here/documents.py" target/debug/uitsmijter
promtool check rules "$chart/files/alerts.yaml" >/dev/null
if [ -e docs/alerts.yaml ] && ! cmp -s docs/alerts.yaml "$chart/files/alerts.yaml"; then
    echo "chart: the chart has other alerts than docs/alerts.yaml: cp docs/alerts.yaml $chart/files/" >&2
    exit 1
fi
"$target/python/bin/python" -u "$here/redis.py"
"$target/python/bin/python" -u "$here/together.py" target/debug/uitsmijter
echo "chart: good"
