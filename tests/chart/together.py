#!/usr/bin/env python3
"""The server with the chart's Redis: together.py PROGRAM. It finds the master through the Sentinels, with the password,
and follows when another pod becomes it. Names would need /etc/hosts, so pods are known by their addresses.
"""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from pods import PASSWORD, Pod, settle, until
from release import CHART, Release

TENANT = """
name: example
config: { hosts: [login.example.com] }
"""
CLIENT = """
name: job
config:
  ident: job
  tenantname: example
  grant_types: [client_credentials]
  secret: a secret of the job, long enough
  scopes: [work]
"""


class Server:
    """As the chart runs it: the variables are those of its Deployment, as far as they name no address."""

    def __init__(self, program, folder, rendered):
        for kind, text in (("Tenants", TENANT), ("Clients", CLIENT)):
            place = Path(folder) / "Resources/Configurations" / kind
            place.mkdir(parents=True)
            (place / "example.yaml").write_text(text)
        hosts = rendered.environment()["REDIS_SENTINEL_HOSTS"].split(",")
        ports = [host.rpartition(":")[2] for host in hosts]
        self.port = free_port()
        environment = {key: value for key, value in rendered.environment().items() if isinstance(value, str)} | {
            "LISTEN": f"127.0.0.1:{self.port}", "METRICS_LISTEN": "", "DIRECTORY": folder,
            "SUPPORT_KUBERNETES_CRD": "false", "SIGNING_KEY_SECRET": "this secret seals the keys of this test alone",
            "REDIS_PASSWORD": PASSWORD, "PATH": os.environ["PATH"],
            "REDIS_SENTINEL_HOSTS": ",".join(f"127.77.0.{n}:{port}" for n, port in enumerate(ports, 1)),
        }
        environment.pop("from")
        self.log = Path(folder) / "server.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program, "serve"], env=environment, stdout=log, stderr=log)

    def ask(self, path, **form):
        """The status, and the answer's JSON."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Host", "login.example.com")
        request.add_header("X-Forwarded-Proto", "https")
        if form:
            request.data = urllib.parse.urlencode(form).encode()
            login = base64.b64encode(b"job:" + urllib.parse.quote("a secret of the job, long enough").encode()).decode()
            request.add_header("Authorization", f"Basic {login}")
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            return error.code, None
        except OSError:
            return 0, None

    def ready(self):
        return self.ask("/health/ready")[0] == 200

    def token(self):
        status, answer = self.ask("/token", grant_type="client_credentials", scope="work")
        assert status == 200, status
        return answer["access_token"]

    def is_active(self, token):
        """Nothing as long as the server cannot say: it asks the store."""
        status, answer = self.ask("/introspect", token=token)
        return answer["active"] if status == 200 else None

    def revoke(self, token):
        return self.ask("/revoke", token=token)[0] == 200


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def follows(server, pods, what, change):
    """What was written before a change of the master holds after it, and more can be written."""
    master = settle(pods, f"before {what}")
    ended, lives = server.token(), server.token()
    assert server.revoke(ended) and server.is_active(ended) is False and server.is_active(lives) is True
    followers = str(sum(bool(pod.processes) for pod in pods) - 1)
    assert master.ask(input=f"set probe {what}\nwait {followers} 5000\n".replace(what, "now")).splitlines()[-1] == followers
    change(master)
    _, took = until(f"{what}: the server revokes again", lambda: server.revoke(lives), pods)
    until("it is ready", server.ready, pods)
    assert server.is_active(ended) is False, f"{what}: a revoked token lives again"
    assert server.is_active(lives) is False
    assert server.is_active(server.token()) is True
    print(f"  {what}: the server writes again after {took:.1f} s")


def main():
    rendered = Release(CHART.parents[1] / "target/chart/rendered/defaults.yaml")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as volumes:
        pods = [Pod(number, volumes) for number in range(3)]
        server = None
        try:
            for pod in pods:
                pod.start()
            settle(pods, "the first start")
            server = Server(sys.argv[1], folder, rendered)
            until("the server is ready", server.ready, pods)
            follows(server, pods, "the master steps down", lambda master: (master.end(), master.start()))
            follows(server, pods, "the master is killed", lambda master: master.stop(signal.SIGKILL))
            assert server.process.poll() is None, "the server has ended"
        except BaseException:
            if server:
                print(server.log.read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            for pod in pods:
                pod.stop(signal.SIGKILL)
            if server:
                server.process.kill()
                server.process.wait()
    print("chart: the server follows the chart's Redis")


if __name__ == "__main__":
    main()
