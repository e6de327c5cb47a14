#!/usr/bin/env python3
"""Secrets are made once: kept.py CHART renders it against an API server that has them, and one that has not.

The API server is a few answers by hand: what helm asks for, and the Secrets that are there.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import yaml

MIDDLEWARES = {"name": "middlewares", "singularName": "", "namespaced": True, "kind": "Middleware", "verbs": ["get"]}
SECRETS = {"name": "secrets", "singularName": "", "namespaced": True, "kind": "Secret", "verbs": ["get", "list"]}


def secret(name, data, **annotations):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": "sso", "annotations": annotations},
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}}


def answers(secrets):
    group = {"name": "traefik.io", "versions": [{"groupVersion": "traefik.io/v1alpha1", "version": "v1alpha1"}],
             "preferredVersion": {"groupVersion": "traefik.io/v1alpha1", "version": "v1alpha1"}}
    found = {
        "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": [SECRETS]},
        "/apis/traefik.io/v1alpha1": {"kind": "APIResourceList", "groupVersion": "traefik.io/v1alpha1", "resources": [MIDDLEWARES]},
    }
    return found | {f'/api/v1/namespaces/sso/secrets/{each["metadata"]["name"]}': each for each in secrets}


def render(chart, secrets, *options):
    found = answers(secrets)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            body = found.get(self.path.partition("?")[0])
            status = 200 if body else 404
            body = body or {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}
            text = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"KUBECONFIG": f"{home}/none", "HOME": home}
        command = ["helm", "template", "login", chart, "--namespace", "sso", "--dry-run=server",
                   # What helm does not ask for in this mode.
                   "--kube-version", "1.33.0", "--api-versions", "traefik.io/v1alpha1/Middleware",
                   "--kube-apiserver", f"http://127.0.0.1:{server.server_port}", *options]
        rendered = subprocess.run(command, env=environment, capture_output=True, text=True)
    server.shutdown()
    assert rendered.returncode == 0, rendered.stderr
    objects = [document for document in yaml.safe_load_all(rendered.stdout) if document]
    return {(each["kind"], each["metadata"]["name"]): each for each in objects}


def value(objects, name, key):
    return base64.b64decode(objects["Secret", name]["data"][key]).decode()


def algorithm(objects):
    return objects["ConfigMap", "uitsmijter-config"]["data"]["JWT_ALGORITHM"]


def redis_of(objects):
    return objects["StatefulSet", "uitsmijter-redis"]["spec"]


def server_of(objects):
    return objects["Deployment", "uitsmijter-authserver"]["spec"]


def secrets_are_made_once_and_kept(chart):
    """Answers them as the cluster then has them."""
    names = [("jwt-secret", "JWT_SECRET"), ("signing-key-secret", "SIGNING_KEY_SECRET"), ("uitsmijter-redis", "REDIS_PASSWORD")]
    first = render(chart, [])
    made = {key: value(first, name, key) for name, key in names}
    assert all(len(each) == 64 for each in made.values()) and len(set(made.values())) == 3
    assert algorithm(first) == "RS256"
    assert ("Middleware", "forward-auth") in first, "the cluster knows Traefik"

    there = [first["Secret", name] for name, _ in names]
    again = render(chart, there)
    assert {key: value(again, name, key) for name, key in names} == made, "an upgrade made new secrets"
    assert algorithm(again) == "RS256"
    assert server_of(again) == server_of(first), "an upgrade without a change restarts"

    written_down = render(chart, there, "--set", f"jwtSecret={made['JWT_SECRET']}")
    assert algorithm(written_down) == "RS256", "writing a secret down must not change the algorithm"
    new = "a new secret of at least thirty-two bytes"
    given = render(chart, there, "--set", f"signingKeySecret={new}\\,old")
    assert value(given, "signing-key-secret", "SIGNING_KEY_SECRET") == f"{new},old"
    return there


def a_shared_secret_stays_on_hs256(chart):
    older = "the secret of an installation of Uitsmijter"
    moved = render(chart, [secret("jwt-secret", {"JWT_SECRET": older})])
    assert value(moved, "jwt-secret", "JWT_SECRET") == older
    assert algorithm(moved) == "", "who shares a secret goes on with HS256"
    assert algorithm(render(chart, [moved["Secret", "jwt-secret"]])) == "", "and after the next upgrade, too"
    switched = render(chart, [moved["Secret", "jwt-secret"]], "--set", "config.jwtAlgorithm=RS256")
    assert algorithm(switched) == "RS256" and value(switched, "jwt-secret", "JWT_SECRET") == older


def what_changes_restarts_whom_it_concerns(chart, there):
    before = render(chart, there)
    for change in ("jwtSecret=another secret that is long enough", "signingKeySecret=another new one of at least thirty-two bytes", "redisPassword=new"):
        changed = render(chart, there, "--set", change)
        assert server_of(changed)["template"] != server_of(before)["template"], f"{change}: the server is not restarted"
        assert redis_of(changed) == redis_of(before), f"{change} restarts Redis"

    with tempfile.TemporaryDirectory() as folder:
        newer = shutil.copytree(chart, f"{folder}/uitsmijter")
        about = Path(newer, "Chart.yaml")
        about.write_text(re.sub(r"^(version|appVersion): .*", r'\1: "9.9.9"', about.read_text(), flags=re.MULTILINE))
        upgraded = render(newer, there)
        assert redis_of(upgraded) == redis_of(before), "an upgrade of the chart restarts Redis"
        assert server_of(upgraded) != server_of(before)


def the_certificate_of_the_webhook_is_kept(chart, there):
    hook = ("--set", "webhook.enabled=true")
    certified = render(chart, there, *hook)["Secret", "uitsmijter-webhook"]
    again = render(chart, [*there, certified], *hook)
    assert again["Secret", "uitsmijter-webhook"]["data"] == certified["data"], "an upgrade made another certificate"
    config = again["ValidatingWebhookConfiguration", "uitsmijter-sso"]["webhooks"][0]["clientConfig"]
    assert config["caBundle"] == certified["data"]["ca.crt"]
    brought = secret("uitsmijter-webhook", {"tls.crt": "of somebody else", "tls.key": "of somebody else"})
    assert ("Secret", "uitsmijter-webhook") not in render(chart, [*there, brought], *hook), "it belongs to somebody else"


def mistakes_are_refused(chart):
    for options, sentence in [
        (["--set", "jwtSecret=short"], "HS256 needs at least 32"),
        (["--set", "redis.enabled=false"], "redis.external names no other"),
        (["--set", "redis.enabled=false,redis.external.sentinelHosts={a}"], "sentinelMaster is missing"),
        (["--set", "gateway.enabled=true"], "gateway.parentRefs is empty"),
        (["--set", "domains[0].domain=login.example.com"], "config.trustedProxies is empty"),
        (["--set", "traefik.middlewares=true"], "config.trustedProxies is empty"),
        (["--set", "config.loglevel=info"], "loglevel"),
        (["--set", "redis.replicas=2"], "redis"),
        (["--set", "domains[0].domain=login..example.com"], "domain"),
        (["--set", "domains[0].domain=https://login.example.com"], "domain"),
    ]:
        command = ["helm", "template", "login", chart, "--kube-version", "1.33.0", *options]
        refused = subprocess.run(command, capture_output=True, text=True)
        assert refused.returncode != 0 and sentence in refused.stderr, f"{options}: {refused.stderr}"


def main():
    chart = sys.argv[1]
    there = secrets_are_made_once_and_kept(chart)
    a_shared_secret_stays_on_hs256(chart)
    what_changes_restarts_whom_it_concerns(chart, there)
    the_certificate_of_the_webhook_is_kept(chart, there)
    mistakes_are_refused(chart)
    print("chart: secrets are made once and kept, and mistakes are refused with a sentence")


if __name__ == "__main__":
    main()
