"""The chart's scripts for Redis and Sentinel, run by real processes as the kubelet would: a pod is an address of the
loopback range, and a folder its volume."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "helm/uitsmijter/files/redis"
HOSTS = [f"127.77.0.{number}" for number in range(1, 6)]
PASSWORD = "not a secret, with spaces"


class Pod:
    """One of `count` pods; the others are known by their addresses, as `spec.template` tells them."""

    def __init__(self, number, folder, count=3):
        self.host, self.volume, self.password = HOSTS[number], Path(folder) / HOSTS[number], PASSWORD
        self.processes, self.count = {}, count
        self.volume.mkdir()
        for port in ("6379", "6380", "26379"):
            # What a run that was killed has left behind would be taken for ours.
            if self.ask("ping", port=port):
                sys.exit(f"{self.host}:{port} answers already; end that redis-server first")

    def environment(self):
        return os.environ | {
            "SELF": self.host, "PEERS": " ".join(HOSTS[:self.count]), "MASTER": "uitsmijter",
            "QUORUM": str(self.count // 2 + 1), "BIND": self.host, "OWN": self.host, "REDIS_PASSWORD": self.password,
            "REDISCLI_AUTH": self.password, "DATA": str(self.volume), "DOWN_AFTER": "1000",
        }

    def start(self):
        for name in ("redis", "sentinel") if self.count > 1 else ("redis",):
            with open(self.volume / f"{name}.log", "ab") as log:
                self.processes[name] = subprocess.Popen(["sh", SCRIPTS / f"{name}.sh"], env=self.environment(),
                                                        stdout=log, stderr=log, start_new_session=True)

    def stop(self, sort=signal.SIGTERM, only=("redis", "sentinel")):
        for name in only:
            if process := self.processes.pop(name, None):
                try:
                    os.killpg(process.pid, sort)
                except ProcessLookupError:
                    pass
                process.wait()

    def end(self):
        """As the kubelet does it: the Sentinel is told to end while Redis still has its preStop before it."""
        self.stop(only=["sentinel"])
        subprocess.run(["sh", SCRIPTS / "step-down.sh"], env=self.environment(), check=True, timeout=60)
        was = self.role()
        self.stop()
        return was

    def lose_the_volume(self):
        assert not self.processes
        shutil.rmtree(self.volume)
        self.volume.mkdir()

    def probe(self, name):
        """Whether the probe says yes for both containers."""
        commands = [["sh", SCRIPTS / f"{name}.sh", container] for container in ("redis", "sentinel")]
        return all(subprocess.run(each, env=self.environment()).returncode == 0 for each in commands)

    def ask(self, *words, port="6379", input=None):
        result = subprocess.run(["redis-cli", "-h", self.host, "-p", port, "--raw", *words], text=True, timeout=10,
                                capture_output=True, input=input, env=os.environ | {"REDISCLI_AUTH": self.password})
        return result.stdout.strip()

    def sentinel(self, *words):
        result = subprocess.run(["redis-cli", "-h", self.host, "-p", "26379", "--raw", "sentinel", *words],
                                capture_output=True, text=True, timeout=10)
        return result.stdout.splitlines()

    def role(self):
        return self.ask("role").partition("\n")[0] if self.processes else "gone"

    def waits(self):
        return self.ask("ping", port="6380") == "PONG"

    def said(self, words):
        return words in (self.volume / "redis.log").read_text()


def until(what, condition, pods, seconds=120):
    """Waits for the condition and answers it; shows what the pods said where it never comes."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if found := condition():
            return found, time.monotonic() - began
        time.sleep(0.3)
    for pod in pods:
        for log in sorted(pod.volume.glob("*.log")):
            print(pod.host, repr(pod.role()), log.name, log.read_text()[-1500:], file=sys.stderr)
    sys.exit(f"{what}: not so after {seconds} s")


def settle(pods, what):
    """Waits until one pod is the master and takes writes, and the others follow it; answers it."""
    def settled():
        alive = [pod for pod in pods if pod.processes]
        masters = [pod for pod in alive if pod.role() == "master"]
        if len(masters) != 1 or masters[0].ask("set", "probe", what) != "OK":
            return None
        master = masters[0]
        for pod in alive:
            if (pod.volume / "incomplete").exists():
                return None
            if pod is not master and pod.ask("role").splitlines()[:4] != ["slave", master.host, "6379", "connected"]:
                return None
            if pod.sentinel("get-master-addr-by-name", "uitsmijter")[:1] != [master.host]:
                return None
            # Sentinels learn of replicas every ten seconds, and nobody chooses whom they do not know.
            known = pod.sentinel("master", "uitsmijter")
            if known[known.index("num-slaves") + 1] != str(len(pods) - 1):
                return None
        return master

    master, took = until(what, settled, pods)
    print(f"  {what}: {master.host} is the master after {took:.0f} s")
    return master


class Writer(threading.Thread):
    """Counts upwards at the master that the Sentinels name, again and again, and remembers how long it could not."""

    def __init__(self, pods):
        super().__init__(daemon=True)
        self.pods, self.acknowledged, self.gaps, self.done = pods, 0, [], threading.Event()
        self.last = time.monotonic()

    def master(self):
        for pod in self.pods:
            if answer := pod.sentinel("get-master-addr-by-name", "uitsmijter")[:1]:
                return next(pod for pod in self.pods if pod.host == answer[0])
        return None

    def run(self):
        master = None
        while not self.done.is_set():
            master = master or self.master()
            answer = master.ask("incr", "counted") if master else ""
            if not answer.isdigit():
                master = None
                continue
            self.acknowledged += 1
            now = time.monotonic()
            self.gaps.append(now - self.last)
            self.last = now

    def end(self):
        self.done.set()
        self.join()
        self.gaps.append(time.monotonic() - self.last)
        return self.acknowledged, max(self.gaps), sum(gap for gap in self.gaps if gap > 0.5)
