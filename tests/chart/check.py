#!/usr/bin/env python3
"""What has to hold of the rendered chart besides the schemas: check.py FOLDER-OF-RENDERED-FILES."""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import wiring
from release import CHART, Release, known_variables, source


def names_are_those_that_others_depend_on(release):
    for kind, name in [("Deployment", "uitsmijter-authserver"), ("Service", "uitsmijter-authserver"),
                       ("ConfigMap", "uitsmijter-config"), ("ConfigMap", "environment-config"),
                       ("ConfigMap", "domain-cookies")]:
        assert (kind, name) in release, f"{kind} {name} is missing"
    assert release.server()["serviceAccountName"] == "uitsmijter"
    selector = release["Deployment", "uitsmijter-authserver"]["spec"]["selector"]["matchLabels"]
    # A Deployment cannot change it, so an upgrade depends on it.
    assert selector == {"app": "uitsmijter", "component": "authserver"}, selector


def every_object_has_its_namespace(release):
    of_the_cluster = ("CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration")
    namespaces = {each["metadata"].get("namespace") for each in release.values() if each["kind"] not in of_the_cluster}
    assert namespaces == {"sso"}, namespaces


def nothing_runs_with_more_rights_than_it_needs(release):
    for pod in release.pods():
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"] and spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        reads = release.environment()["SUPPORT_KUBERNETES_CRD"] == "true" and pod is release.server_pod()
        assert spec["automountServiceAccountToken"] is reads and spec["enableServiceLinks"] is False
        for container in spec.get("initContainers", []) + spec["containers"]:
            context = container["securityContext"]
            assert context == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                               "capabilities": {"drop": ["ALL"]}}, context
            assert "limits" in container["resources"], f'{container["name"]} has no limits'


def no_request_is_lost_in_a_rolling_update(release):
    spec = release["Deployment", "uitsmijter-authserver"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    container = release.server()["containers"][0]
    # Every values file but one leaves it at its default, and this is a Kubernetes that knows it.
    sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert sleep >= 5, "balancers have to hear first that the pod goes"
    text = source("server/mod.rs")
    seconds = sum(int(re.search(rf"{name}: Duration = Duration::from_secs\((\d+)\)", text)[1]) for name in ("NOTICE", "DRAIN"))
    assert release.server()["terminationGracePeriodSeconds"] > seconds + sleep, "the kubelet would kill a server that drains"


def probes_ask_the_port_that_is_not_public(release):
    container = release.server()["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports.pop("webhook", 9443) == 9443 and ports == {"http": 8080, "metrics": 9090}, ports
    environment = release.environment()
    assert environment["LISTEN"].endswith(":8080") and environment["METRICS_LISTEN"].endswith(":9090")
    for probe, path in [("startupProbe", "/health"), ("livenessProbe", "/health"), ("readinessProbe", "/health/ready")]:
        assert container[probe]["httpGet"] == {"path": path, "port": "metrics"}, container[probe]
    assert [port["targetPort"] for port in release["Service", "uitsmijter-authserver"]["spec"]["ports"]] == ["http"]


def the_server_knows_every_variable(release):
    unknown = set(release.environment()) - known_variables() - {"from", "HTTPS_PROXY"}
    assert not unknown, f"the server reads no such variables: {unknown}"


def secrets_are_never_in_the_open(release):
    # A certificate is for everybody.
    secrets = [value for (kind, _), each in release.items() if kind == "Secret" for key, value in each["data"].items()
               if key not in ("ca.crt", "tls.crt")]
    rest = json.dumps([each for (kind, _), each in release.items() if kind != "Secret"])
    import base64
    for value in secrets:
        assert base64.b64decode(value).decode() not in rest and value not in rest
    for (kind, name), each in release.items():
        if kind == "Secret":
            assert each["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep", f"{name} ends with the release"


def dashboard():
    # That the metrics and labels exist is seen on a running server: tests/replicas/alerts.rs.
    board = json.loads((CHART / "files/dashboard.json").read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    # promtool knows PromQL; the dashboard's own words are filled in before.
    rules = [{"record": "a:b", "expr": each.replace("$__rate_interval", "5m"), "labels": {"n": str(n)}} for n, each in enumerate(expressions)]
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}, file)
        file.flush()
        subprocess.run(["promtool", "check", "rules", file.name], check=True, capture_output=True)


def opened(release):
    """The ports that the server may go to, wherever they are."""
    policy = release["NetworkPolicy", "uitsmijter-authserver"]["spec"]
    return {port["port"] for rule in policy["egress"] for port in rule["ports"]}


def each_values_file_says_what_it_says(releases):
    operators = releases["operators"]
    environment = operators.environment()
    assert environment["JWT_ALGORITHM"] == "", "a shared secret means that the server decides, for HS256"
    assert environment["PUBLIC_DOMAIN"] == "nightly.example.com" and environment["SECURE"] == "true"
    assert {name for kind, name in operators if kind == "Ingress"} == {"nightly.example.com", "nightly2.example.com"}
    definitions = {name for kind, name in operators if kind == "CustomResourceDefinition"}
    assert definitions == {"tenants.uitsmijter.io", "clients.uitsmijter.io"}, definitions
    assert environment["SUPPORT_KUBERNETES_CRD"] == "true" and environment["SCOPED_KUBERNETES_CRD"] == "false"
    rights = {what for rule in operators["ClusterRole", "uitsmijter-sso"]["rules"] for what in rule["resources"]}
    assert rights == {"tenants", "clients", "tenants/status", "clients/status"}, rights
    small = releases["small"]
    assert small["Role", "uitsmijter"]["rules"][-1]["resources"] == ["tenants/status", "clients/status"]
    assert small["RoleBinding", "uitsmijter"]["roleRef"]["kind"] == "Role"
    everything = releases["everything"]
    assert {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]} in everything["ClusterRole", "uitsmijter-sso"]["rules"]
    hook = everything["ValidatingWebhookConfiguration", "uitsmijter-sso"]["webhooks"][0]["clientConfig"]["service"]
    assert ("Service", hook["name"]) in everything and hook["path"] == "/validate", hook
    alone = releases["webhook"]
    made = alone["Secret", "uitsmijter-webhook"]
    hook = alone["ValidatingWebhookConfiguration", "uitsmijter-sso"]["webhooks"][0]["clientConfig"]
    assert made["type"] == "kubernetes.io/tls" and hook["caBundle"] == made["data"]["ca.crt"]
    assert ("Secret", "uitsmijter-webhook") not in everything, "somebody else brings it"
    template = operators["StatefulSet", "uitsmijter-redis"]["spec"]["volumeClaimTemplates"][0]
    assert template["spec"]["storageClassName"] == "default-ext4"

    assert releases["defaults"].environment()["JWT_ALGORITHM"] == "RS256"
    assert releases["defaults"].environment()["REDIS_SENTINEL_HOSTS"].count(",") == 2
    assert ("PodDisruptionBudget", "uitsmijter-authserver") in releases["defaults"]

    files = releases["two-files"]["ConfigMap", "uitsmijter-tenants"]["data"]
    assert yaml.safe_load(files["example.yaml"])["name"] == "example"
    assert [each["name"] for each in yaml.safe_load_all(files["others.yaml"])] == ["first", "second"]
    assert "name" not in yaml.safe_load(files["from-a-cluster.yaml"])
    assert json.loads(releases["two-files"].environment()["COOKIE_DOMAINS"]) == {"login.example.com": ".example.com"}

    everything = releases["everything"]
    assert everything["HTTPRoute", "uitsmijter-authserver"]["spec"]["hostnames"] == ["login.example.com", "*.shops.example.com"]
    assert ("Ingress", "wildcard.shops.example.com") in everything
    assert "replicas" not in everything["Deployment", "uitsmijter-authserver"]["spec"]
    assert everything["Middleware", "forward-auth"]["spec"]["forwardAuth"]["address"] == "http://uitsmijter-authserver.sso:8080/interceptor"
    assert ("Middleware", "forward-header") in everything
    assert everything["PrometheusRule", "uitsmijter"]["spec"]["groups"]
    assert yaml.safe_load(everything["ConfigMap", "uitsmijter-settings"]["data"]["settings.yaml"])["signing"]["scope"] == "shared"
    monitored = everything["ServiceMonitor", "uitsmijter-authserver"]["spec"]["selector"]["matchLabels"]
    services = [name for (kind, name), each in everything.items()
                if kind == "Service" and monitored.items() <= each["metadata"]["labels"].items()]
    assert services == ["uitsmijter-authserver-metrics"], services

    assert opened(releases["redis-by-url"]) == {53, 443, 6379, 6443}, opened(releases["redis-by-url"])
    assert opened(everything) == {53, 443, 6379, 6443, 26379}, opened(everything)
    assert opened(releases["redis-behind-sentinels"]) == {53, 443, 6380, 6443, 26379, 26380}

    domains = releases["domains"]
    assert domains.environment()["PUBLIC_DOMAIN"] == "login.example.com:8443", "a wildcard is no public domain"
    assert json.loads(domains.environment()["COOKIE_DOMAINS"]) == {"login.example.com": ".example.com"}
    hosts = {each["spec"]["rules"][0]["host"] for (kind, _), each in domains.items() if kind == "Ingress"}
    assert hosts == {"*.shops.example.com", "login.example.com"}, hosts
    assert domains["HTTPRoute", "uitsmijter-authserver"]["spec"]["hostnames"] == ["*.shops.example.com", "login.example.com"]

    by_url = releases["redis-by-url"]
    assert by_url.environment()["from"] == "uitsmijter-redis" and not by_url.environment().get("REDIS_HOST")
    assert list(by_url["Secret", "uitsmijter-redis"]["data"]) == ["REDIS_URL"]
    assert releases["redis-behind-sentinels"].environment()["REDIS_SENTINEL_HOSTS"] == "a:26380,b"
    assert not [kind for kind, _ in releases["redis-of-a-secret"] if kind in ("Secret", "ServiceAccount", "StatefulSet")]
    small = releases["small"]
    assert small.environment()["REDIS_HOST"].startswith("uitsmijter-redis-0.")
    assert small["Middleware", "forward-auth"]["apiVersion"] == "traefik.containo.us/v1alpha1"
    assert len(small["StatefulSet", "uitsmijter-redis"]["spec"]["template"]["spec"]["containers"]) == 1


def main():
    releases = {file.stem: Release(file) for file in sorted(Path(sys.argv[1]).glob("*.yaml"))}
    rules = [names_are_those_that_others_depend_on, every_object_has_its_namespace,
             nothing_runs_with_more_rights_than_it_needs, no_request_is_lost_in_a_rolling_update,
             probes_ask_the_port_that_is_not_public, the_server_knows_every_variable, secrets_are_never_in_the_open, *wiring.RULES]
    for name, release in releases.items():
        for rule in rules:
            try:
                rule(release)
            except AssertionError as error:
                error.add_note(f"values/{name}.yaml: {rule.__name__.replace('_', ' ')}")
                raise
    each_values_file_says_what_it_says(releases)
    dashboard()
    print(f"chart: {len(rules)} rules hold for each, and the dashboard asks for what is there")


if __name__ == "__main__":
    main()
