#!/usr/bin/env python3
"""The chart's scripts for Redis and Sentinel, run by real processes: each pod is an address of the loopback range.

A first start, a master that dies, one that comes back, one that comes back without its disk, one that steps down, an
outage of all. After each of them there is one master, it has what was written, and the others follow it.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "helm/uitsmijter/files/redis"
HOSTS = ["127.77.0.1", "127.77.0.2", "127.77.0.3"]
PASSWORD = "not a secret, with spaces"


class Pod:
    def __init__(self, host, volume):
        self.host, self.volume, self.processes = host, Path(volume) / host, {}
        self.volume.mkdir()

    def environment(self):
        return os.environ | {
            "SELF": self.host, "PEERS": " ".join(HOSTS), "MASTER": "uitsmijter", "QUORUM": "2", "BIND": self.host,
            "REDIS_PASSWORD": PASSWORD, "REDISCLI_AUTH": PASSWORD, "DATA": str(self.volume), "DOWN_AFTER": "1000",
        }

    def start(self):
        for name in ("redis", "sentinel"):
            log = open(self.volume / f"{name}.log", "ab")
            self.processes[name] = subprocess.Popen(
                ["sh", SCRIPTS / f"{name}.sh"], env=self.environment(), stdout=log, stderr=log, start_new_session=True)

    def stop(self, sort=signal.SIGTERM):
        for process in self.processes.values():
            try:
                os.killpg(process.pid, sort)
            except ProcessLookupError:
                pass
            process.wait()
        self.processes = {}

    def step_down(self):
        """As the kubelet would run it; inside the pod, redis-cli finds its own Redis without being told where."""
        script = (SCRIPTS / "step-down.sh").read_text().replace("redis-cli role", f"redis-cli -h {self.host} role")
        script = script.replace("$(dirname \"$0\")", str(SCRIPTS))
        subprocess.run(["sh", "-c", script], env=self.environment(), check=True, timeout=60)

    def ask(self, *words):
        result = subprocess.run(["redis-cli", "-h", self.host, "--raw", *words], capture_output=True, text=True,
                                env=os.environ | {"REDISCLI_AUTH": PASSWORD}, timeout=5)
        return result.stdout.strip()

    def role(self):
        return self.ask("role").partition("\n")[0] if self.processes else "gone"


def sentinel(pod, *words):
    result = subprocess.run(["redis-cli", "-h", pod.host, "-p", "26379", "--raw", "sentinel", *words],
                            capture_output=True, text=True, timeout=5)
    return result.stdout.splitlines()


def settle(pods, what, seconds=90):
    """Waits until one pod is the master and takes writes, and the others follow it; answers it."""
    def settled():
        alive = [pod for pod in pods if pod.processes]
        masters = [pod for pod in alive if pod.role() == "master"]
        if len(masters) != 1 or masters[0].ask("set", "probe", what) != "OK":
            return None
        master = masters[0]
        for pod in alive:
            if pod is not master and pod.ask("role").splitlines()[:4] != ["slave", master.host, "6379", "connected"]:
                return None
            if sentinel(pod, "get-master-addr-by-name", "uitsmijter")[:1] != [master.host]:
                return None
            # Sentinels learn of replicas every ten seconds, and nobody chooses whom they do not know.
            known = sentinel(pod, "master", "uitsmijter")
            if known[known.index("num-slaves") + 1] != str(len(HOSTS) - 1):
                return None
        return master

    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if master := settled():
            print(f"  {what}: {master.host} is the master after {time.monotonic() - began:.0f} s")
            return master
        time.sleep(0.5)
    for pod in pods:
        print(pod.host, repr(pod.ask("role")), (pod.volume / "redis.log").read_text()[-1500:],
              (pod.volume / "sentinel.log").read_text()[-1500:], file=sys.stderr)
    sys.exit(f"{what}: not settled after {seconds} s")


def written(master, count):
    kept = int(master.ask("get", "written") or 0)
    if kept < count:
        sys.exit(f"{master.host} has lost what was written: {kept} of {count}")


def wipe(volume):
    for file in sorted(volume.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()


def main():
    with tempfile.TemporaryDirectory() as volume:
        pods = [Pod(host, volume) for host in HOSTS]
        count = 0

        def settle_and_write(what):
            """What was written before is there; something more is written, and reaches everybody."""
            nonlocal count
            master = settle(pods, what)
            written(master, count)
            count += 1
            assert master.ask("incr", "written") == str(count)
            followers = sum(bool(pod.processes) for pod in pods) - 1
            assert master.ask("wait", str(followers), "5000") == str(followers), "the replicas do not follow"
            return master

        try:
            for pod in pods:
                pod.start()
            master = settle_and_write("the first start")
            assert master is pods[0]

            dead = master
            dead.stop(signal.SIGKILL)
            settle_and_write("the master was killed")
            dead.start()
            master = settle_and_write("it comes back")
            assert master is not dead

            master.step_down()
            assert master.role() == "slave", f"still {master.role()}"
            master.stop()
            master.start()
            master = settle_and_write("the master stepped down and restarts")

            for pod in pods:
                pod.stop()
            for pod in pods:
                pod.start()
            master = settle_and_write("everything was down")

            master.stop(signal.SIGKILL)
            wipe(master.volume)
            master.start()
            settle_and_write("the master restarts without its disk")
        finally:
            for pod in pods:
                pod.stop(signal.SIGKILL)
    print("redis: good")


if __name__ == "__main__":
    main()
