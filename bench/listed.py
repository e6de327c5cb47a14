"""Tenants and clients as custom resources: start, memory, and what one change among many costs."""

import json
import queue
import statistics
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from declared import SECRET
from programs import Server

FEW, MANY = 1_000, 10_000
CHANGES = 5
VERSION = "uitsmijter.io/v1"


def tenant(number, host, generation=1):
    return resource("Tenant", number, generation, {"hosts": [host], "jwt_algorithm": "ES256"})


def client(number):
    spec = {"ident": f"service-{number}", "tenantname": f"bench/tenant-{number}", "secret": SECRET}
    return resource("Client", number, 1, spec | {"grant_types": ["client_credentials"], "scopes": ["jobs"]})


def resource(kind, number, generation, spec):
    metadata = {"name": f"{kind.lower()}-{number}", "namespace": "bench", "uid": f"{kind}-{number}"}
    metadata |= {"generation": generation, "resourceVersion": str(generation)}
    metadata |= {"creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"apiVersion": VERSION, "kind": kind, "metadata": metadata, "spec": spec}


class ApiServer:
    """As much of an API server as one needs to list, to watch and to write a status."""

    def __init__(self, count):
        self.listed = {
            "tenants": [tenant(number, f"tenant-{number}.example.com") for number in range(count)],
            "clients": [client(number) for number in range(count)],
        }
        self.changes = {kind: queue.Queue() for kind in self.listed}
        self.list_sent, self.last_status = 0.0, time.monotonic()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                kind = "tenants" if "/tenants" in self.path else "clients"
                outer.watch(self, kind) if "watch=" in self.path else outer.list(self, kind)

            def do_PATCH(self):
                patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.last_status = time.monotonic()
                kind, name = self.path.split("?")[0].split("/")[-3:-1]
                number = int(name.rsplit("-", 1)[1])
                # Who watches hears of it, as of every change.
                found = outer.listed[kind][number] | {"status": patch.get("status", {})}
                outer.listed[kind][number] = found
                outer.changes[kind].put(found)
                outer.answer(self, found)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def list(self, handler, kind):
        items = {"apiVersion": VERSION, "kind": "List", "metadata": {"resourceVersion": "1"}, "items": self.listed[kind]}
        self.answer(handler, items)
        self.list_sent = time.monotonic()

    @staticmethod
    def answer(handler, document):
        body = json.dumps(document).encode()
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def watch(self, handler, kind):
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while True:
            line = json.dumps({"type": "MODIFIED", "object": self.changes[kind].get()}).encode() + b"\n"
            try:
                handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            except OSError:
                return

    def kubeconfig(self, folder):
        path = Path(folder) / "kubeconfig"
        server = {"name": "bench", "cluster": {"server": f"http://127.0.0.1:{self.server.server_port}"}}
        context = {"name": "bench", "context": {"cluster": "bench", "user": "bench"}}
        user = {"name": "bench", "user": {"token": "bench"}}
        # JSON is YAML.
        path.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "bench",
            "clusters": [server], "contexts": [context], "users": [user],
        }))
        return str(path)

    def until_quiet(self):
        """Until the status of everything is written."""
        while time.monotonic() - self.last_status < 3:
            time.sleep(0.2)


def start(folder, count, settings):
    api = ApiServer(count)
    return api, Server(folder, SUPPORT_KUBERNETES_CRD="true", KUBECONFIG=api.kubeconfig(folder), **settings)


def resources(figures, folder, rounds):
    figures.part(f"Custom resources, from an API server that lists {FEW} or {MANY} tenants with a client each")
    ready, resident = [], []
    for _ in range(rounds):
        api, server = start(folder, FEW, {})
        with server:
            ready.append(time.monotonic() - api.list_sent)
            api.until_quiet()
            resident.append(server.resident_mib())
    figures.show(f"list of {FEW} arrived to ready, the fastest", min(ready) * 1000, "ms", at_most=1000)
    figures.show(f"resident memory with {FEW}, status written", statistics.median(resident), "MiB")
    api, server = start(folder, MANY, {})
    with server:
        api.until_quiet()
        figures.show(f"resident memory with {MANY}, status written", server.resident_mib(), "MiB")
        spent = [change(api, server, number) for number in range(CHANGES)]
    figures.show(f"one changed tenant among {MANY}, CPU until it is served", statistics.median(spent) * 1000, "ms", at_most=50)


def change(api, server, number):
    """CPU seconds from a change to the moment at which the new host is served."""
    host = f"changed-{number}"
    api.until_quiet()
    before = server.cpu()
    api.changes["tenants"].put(tenant(number, f"{host}.example.com", generation=2))
    server.wait_for(lambda: server.serves(f"{host}.example.com"), pause=0.02)
    return server.cpu() - before
