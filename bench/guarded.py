"""Forward-auth: what it costs to let a person's request pass who has signed in."""

import statistics
from contextlib import ExitStack

import journey
from declared import declare, get, person
from programs import AHEAD, ONE_CORE, Server, bare_signature, stores

HOST = "guarded.example.com"
PEOPLE = 200
RATE = 2000
BURSTS = 4


def passes(server):
    """The question of a proxy, for each of many people who have signed in."""
    forms = journey.forms(server, "guarded", [person(number) for number in range(PEOPLE)])
    jars = [journey.cookies(answer) for answer in server.replay(forms, journey.CONNECTIONS, answers=True)[1]]
    asked = ["X-Forwarded-Proto: http", f"X-Forwarded-Host: {HOST}", "X-Forwarded-Uri: /cart?item=1"]
    asked += ["X-Forwarded-Method: GET", "Accept: text/html,*/*;q=0.8"]
    return [get("guarded", "/interceptor", *asked, journey.with_cookies(jar)) for jar in jars]


def proxies(figures, folder, rounds):
    figures.part("Forward-auth with a live session, over kept connections, with the usual log")
    declare(folder, [("guarded", "RS256", "guarded")])
    with ExitStack() as stack:
        backends = stores(stack, folder, AHEAD)
        # One core for the server, and the other ones for whoever asks it.
        settings = {"LOGIN_PROTECTION": "false"}
        servers = {name: stack.enter_context(Server(folder, ONE_CORE, **settings, **own)) for name, own in backends.items()}
        asked = {name: passes(server) for name, server in servers.items()}
        for name, server in servers.items():
            server.replay(asked[name])
        signed = {name: server.counted("uitsmijter_tokens_signed") for name, server in servers.items()}
        bare, spent, slowest = [], {name: [] for name in servers}, {name: [] for name in servers}
        for _ in range(rounds):
            bare.append(bare_signature())
            for name, server in servers.items():
                spent[name].append(server.replay(asked[name], total=20_000)[0])
                slowest[name] += [server.paced(asked[name], 32, RATE, RATE)["p99"] for _ in range(BURSTS)]
        figures.show("a bare RSA-2048 signature (openssl speed)", statistics.median(bare) * 1e6, "us")
        for name, server in servers.items():
            own = statistics.median(spent[name])
            figures.show(f"{name}: one request, CPU of the server", own * 1e6, "us", at_most=100)
            figures.show(f"{name}: one request / bare signature", own / statistics.median(bare))
            more = server.counted("uitsmijter_tokens_signed") - signed[name]
            figures.show(f"{name}: signatures for all of these requests", more, at_most=0)
            # The best second, because whoever else uses the machine only ever makes it slower.
            times = slowest[name]
            figures.show(f"{name}: p99 at {RATE} requests/s on one core, the best second", min(times) * 1e3, "ms", at_most=5)
            figures.show(f"{name}: p99, the median of the seconds", statistics.median(times) * 1e3, "ms")
