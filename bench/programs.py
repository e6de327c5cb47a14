"""The programs that are measured: started, asked for their CPU time and memory, and stopped again."""

import os
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
BINARY = TARGET / "uitsmijter"
LOAD = TARGET / "bench-load"
# Before whatever else the machine does, for what is measured by the clock; without the right to that, it is no more than
# a warning.
AHEAD = ["nice", "-n", "-15"]
# A machine of one core: as many threads as that has.
ONE_CORE = [*AHEAD, "taskset", "--cpu-list", "0"]


def build():
    """Builds the release of the server, and the client."""
    subprocess.run(["cargo", "build", "--release", "--bins"], cwd=ROOT, check=True)
    subprocess.run(["rustc", "--edition", "2024", "-O", "-o", LOAD, ROOT / "bench" / "load.rs"], check=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """User and system time of a process with all its threads, those that ended too, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # what clock_getcpuclockid(3) makes of a process id


def unframed(told):
    """The answers that the client of bench/load.rs has written."""
    answers, place = [], 0
    while place < len(told):
        start = told.index(b"\n", place) + 1
        place = start + int(told[place:start])
        answers.append(told[start:place].decode())
    return answers


class Program:
    """A child process on a port of its own. Use it in a `with`."""

    def __init__(self, command, folder, port, environment=None, before=()):
        self.port, self.folder = port, Path(folder)
        self.log = open(self.folder / "log.txt", "ab")
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.process = subprocess.Popen(
            [*before, *command], cwd=folder, env=inherited | (environment or {}), stdout=self.log, stderr=self.log
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(30)
        self.log.close()

    def measured_pid(self):
        return self.process.pid

    def cpu(self):
        return cpu_seconds(self.measured_pid())

    def resident_mib(self):
        """The memory that it holds now."""
        status = Path(f"/proc/{self.measured_pid()}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def wait_for(self, is_ready, pause=0.001, at_most=120):
        """Waits for `is_ready` and gives the seconds that it took."""
        begun = time.monotonic()
        while not is_ready():
            if self.process.poll() is not None or time.monotonic() - begun > at_most:
                raise SystemExit(f"{self.process.args[0]} did not come up:\n{(self.folder / 'log.txt').read_text()}")
            time.sleep(pause)
        return time.monotonic() - begun

    def accepts(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def replay(self, requests, connections=8, total=None, answers=False):
        """Sends requests, `total` in all; gives the CPU seconds of this program per request, and the answers."""
        command = [LOAD, f"127.0.0.1:{self.port}", str(connections), str(total or len(requests))]
        framed = b"".join(b"%d\n%s" % (len(request), request.encode()) for request in requests)
        before = self.cpu()
        told = subprocess.run(
            command + ["--answers"] * answers, input=framed, stdout=subprocess.PIPE, check=True
        ).stdout
        spent = (self.cpu() - before) / (total or len(requests))
        if answers:
            return spent, unframed(told)
        self.timed(told)
        return spent, None

    def paced(self, requests, connections, total=None, rate=None, status="200"):
        """Sends requests, so many per second; gives the seconds of the median, of the slowest in a hundred, and of all."""
        command = [LOAD, f"127.0.0.1:{self.port}", str(connections), str(total or len(requests))]
        framed = b"".join(b"%d\n%s" % (len(request), request.encode()) for request in requests)
        command = [*AHEAD, *command, *(["--rate", str(rate)] if rate else [])]
        told = subprocess.run(command, input=framed, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        return self.timed(told.stdout, status)

    @staticmethod
    def timed(told, status="200"):
        found = dict(line.split() for line in told.decode().splitlines())
        times = {name: int(found.pop(name)) / 1e6 for name in ("p50", "p99", "all")}
        if list(found) != [status]:
            raise SystemExit(f"not every answer was a success: {told.decode()}")
        return times


class Server(Program):
    """uitsmijter on the folder's tenants and clients; its log lies elsewhere, because it watches them."""

    def __init__(self, folder, before=(), **environment):
        port = free_port()
        settings = {"LISTEN": f"127.0.0.1:{port}", "DIRECTORY": f"{folder}/declared"} | environment
        super().__init__([BINARY], folder, port, settings, before)
        self.start_seconds = self.wait_for(self.is_ready)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def serves(self, host):
        """Whether a tenant answers at `host`: with a complaint about the request, for which it needs no keys."""
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/authorize", headers={"Host": host})
        try:
            urllib.request.urlopen(asked, timeout=5).close()
        except urllib.error.HTTPError as answer:
            return answer.code == 400
        except OSError:
            pass
        return False

    def counted(self, name):
        """What `/metrics` says about a counter, over all labels."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
            return sum(float(value) for value in re.findall(rf"^{name}\S* (\S+)$", answer.read().decode(), re.MULTILINE))


class Nginx(Program):
    """nginx with one worker that serves the files of `folder`, and keeps no log of requests."""

    def __init__(self, folder):
        port = free_port()
        (Path(folder) / "nginx.conf").write_text(
            f"""worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log stderr;
            events {{}}
            http {{
              access_log off; sendfile on; keepalive_requests 100000000; default_type application/json;
              server {{ listen 127.0.0.1:{port}; root {folder}; }}
            }}"""
        )
        super().__init__(["nginx", "-e", "stderr", "-p", str(folder), "-c", f"{folder}/nginx.conf"], folder, port)
        self.wait_for(self.accepts)

    def measured_pid(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])


class Redis(Program):
    """A Redis that keeps nothing on disk."""

    def __init__(self, folder, before=()):
        port = free_port()
        options = ["--port", str(port), "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"]
        super().__init__(["redis-server", *options], folder, port, before=before)
        self.wait_for(self.accepts)


def stores(stack, folder, before=()):
    """The settings of a server on each kind of store; the Redis runs as long as `stack` does."""
    redis = stack.enter_context(Redis(folder, before))
    embedded = {"STORE_PATH": f"{folder}/store.redb"}
    return {"memory": {}, "redb": embedded, "Redis": {"REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}}


def bare_signature(kind="rsa2048", seconds=1):
    """CPU seconds of one signature, as `openssl speed` measures them on all cores at once, which is how the server signs:
    a core that shares its units with a busy neighbour takes longer for the same work."""
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds), kind]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in os.sched_getaffinity(0)
    ]
    told = [process.communicate()[0] for process in running]
    found = [re.search(r"\+R[15]:(\d+):\d+:([\d.]+)", text).groups() for text in told]
    return sum(float(spent) for _, spent in found) / sum(int(count) for count, _ in found)
