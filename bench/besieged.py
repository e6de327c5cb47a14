"""A siege: how long others wait while strangers flood the server with requests that it would have to remember."""

import statistics
import subprocess
from contextlib import ExitStack, contextmanager
from urllib.parse import urlencode

import journey
from declared import CALLBACK, declare, get, person, post
from programs import AHEAD, LOAD, Server, stores

PEOPLE = 100
RATE = 50
FLOOD = 500
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def strange():
    """Requests of a browser without an account, nearly as long as the server takes them."""
    asked = {"response_type": "code", "client_id": "es256-service", "redirect_uri": CALLBACK, "scope": "openid"}
    asked |= {"code_challenge": CHALLENGE, "code_challenge_method": "S256"}
    long = [asked | {"nonce": f"{number:04}" + "x" * 15_000} for number in range(64)]
    requests = [get("es256", "/authorize?" + urlencode(one)) for one in long]
    return requests + [post("es256", "/authorize", one) for one in long]


@contextmanager
def flood(server):
    """Strangers at `server` for as long as the block takes."""
    command = [LOAD, f"127.0.0.1:{server.port}", "16", str(10**9), "--rate", str(FLOOD)]
    framed = b"".join(b"%d\n%s" % (len(request), request.encode()) for request in strange())
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as strangers:
        strangers.stdin.write(framed)
        strangers.stdin.close()
        try:
            yield
        finally:
            strangers.kill()


def sign_ins(server):
    """The seconds that the slowest of a hundred people waits for the answer to a password; every one is a success."""
    forms = journey.forms(server, "es256", [person(number) for number in range(PEOPLE)])
    return server.paced(forms, journey.CONNECTIONS, rate=RATE, status="303")["p99"]


def besieged(figures, folder, rounds):
    figures.part(f"A siege: sign-ins at {RATE}/s beside {FLOOD} requests/s of strangers, 15 KB each")
    declare(folder, [("es256", "ES256", "scripted")])
    with ExitStack() as stack:
        backends = stores(stack, folder, AHEAD)
        for name, own in backends.items():
            server = stack.enter_context(Server(folder, AHEAD, **own))
            sign_ins(server)
            quiet, during, rest, after = [], [], [], []
            for _ in range(rounds):
                quiet.append(sign_ins(server))
                rest.append(server.resident_mib())
                with flood(server):
                    during.append(sign_ins(server))
                    after.append(server.resident_mib())
            figures.show(f"{name}: p99 of sign-ins, quiet", statistics.median(quiet) * 1e3, "ms")
            figures.show(f"{name}: p99 of sign-ins, besieged", statistics.median(during) * 1e3, "ms")
            ratio = statistics.median(one / other for one, other in zip(during, quiet))
            figures.show(f"{name}: besieged / quiet", ratio, at_most=3)
            grown = max(after) / rest[0]
            figures.show(f"{name}: resident memory, besieged / at rest", grown, at_most=2)
