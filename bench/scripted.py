"""Login scripts: what one run costs, many that wait for a backend together, and one that never ends."""

import asyncio
import json
import statistics
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import journey
from declared import PERSONS, declare, person
from programs import AHEAD, LOAD, Server, free_port

TOGETHER = 500
BACKEND_SECONDS = 0.2
ALONE = 60
STRETCHES = 5


class Backend:
    """A user store that takes its time, on a thread of its own."""

    def __init__(self):
        self.port = free_port()
        self.loop = asyncio.new_event_loop()
        started = threading.Event()
        threading.Thread(target=self.run, args=(started,), daemon=True).start()
        started.wait()

    def run(self, started):
        serving = asyncio.start_server(self.serve, "127.0.0.1", self.port, backlog=1024)
        self.loop.run_until_complete(serving)
        started.set()
        self.loop.run_forever()

    async def serve(self, reader, writer):
        body = json.dumps({"id": "u-1815", "name": "Ada Lovelace"})
        answer = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")]
                await reader.readexactly(int(lengths[0]) if lengths else 0)
                await asyncio.sleep(BACKEND_SECONDS)
                writer.write(answer.encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@contextmanager
def loops(server):
    """Somebody who signs in at the tenant whose script never ends, again and again."""
    forms = journey.forms(server, "endless", ["eve"] * 20)
    framed = b"".join(b"%d\n%s" % (len(form), form.encode()) for form in forms)
    command = [LOAD, f"127.0.0.1:{server.port}", "1", "1000"]
    asking = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    asking.stdin.write(framed)
    asking.stdin.close()
    try:
        yield
    finally:
        asking.kill()
        asking.wait()


def alone(server):
    """The median time of a login, one after the other, in the best of some short stretches."""
    forms = journey.forms(server, "scripted", [f"person-{number}" for number in range(ALONE * STRETCHES)])
    stretches = [forms[start : start + ALONE] for start in range(0, len(forms), ALONE)]
    return min(server.paced(stretch, 1, status="303")["p50"] for stretch in stretches)


def scripts(figures, folder, rounds):
    figures.part("Login scripts")
    backend = Backend()
    declare(folder, [(name, "ES256", name) for name in ("scripted", "asking", "endless")])
    for file in Path(folder).glob("declared/Resources/Configurations/Tenants/*.yaml"):
        file.write_text(file.read_text().replace("@BACKEND@", f"http://127.0.0.1:{backend.port}"))
    rows = []
    settings = {"LOGIN_PROTECTION": "false"}
    with Server(folder, **settings) as plain, Server(folder, AHEAD, **settings) as server:
        for _ in range(rounds):
            row = {}
            forms = journey.forms(plain, "scripted", [person(number) for number in range(PERSONS)])
            row["scripted"] = plain.replay(forms, journey.CONNECTIONS, answers=True)[0]
            forms = journey.forms(server, "asking", [f"person-{number}" for number in range(TOGETHER)])
            row["together"] = server.paced(forms, TOGETHER, status="303")["all"]
            row["normal"] = alone(server)
            with loops(server):
                row["beside a loop"] = alone(server)
            rows.append(row)
    found = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
    # All of it, because there is nothing of which the rest could be told apart: one run is less than that.
    figures.show("POST /login with a small script, CPU of the server", found["scripted"] * 1e6, "us", at_most=1000)
    best = min(row["together"] for row in rows) - BACKEND_SECONDS
    figures.show(f"{TOGETHER} logins at once, backend of 200 ms: beyond the ideal, best round", best, "s", at_most=2)
    figures.show("the same, the median of the rounds", found["together"] - BACKEND_SECONDS, "s")
    # The best rounds, because whoever else uses the machine only ever makes it slower.
    normal, beside = (min(row[key] for row in rows) for key in ("normal", "beside a loop"))
    figures.show("a login, one after the other, best round", normal * 1e3, "ms")
    figures.show("the same beside an endless loop of another tenant, best round", beside * 1e3, "ms")
    figures.show("beside an endless loop / normal", beside / normal, at_most=1.10)

