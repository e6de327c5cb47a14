#!/usr/bin/env python3
"""What happens to the chart's Redis, told with real processes (pods.py): it starts, is rolled, loses pods, volumes and
everything, is restored, gets another password and more pods. After each of them there is one master, it has what was
written, and the others follow it.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pods import PASSWORD, SCRIPTS, Pod, Writer, settle, until
from restores import a_restore, a_restore_of_ones_own

CHART = Path(__file__).parents[2] / "helm/uitsmijter"
# How long a pod has to be ready before the next one is updated.
MIN_READY = int(re.search(r"minReadySeconds: (\d+)", (CHART / "templates/redis.yaml").read_text())[1])


class Story:
    """Three pods, and how often something was written."""

    def __init__(self, folder):
        self.folder, self.pods, self.count = Path(folder), [Pod(number, folder) for number in range(3)], 0

    def start(self):
        for pod in self.pods:
            pod.start()

    def stop(self, sort=signal.SIGTERM):
        for pod in self.pods:
            pod.stop(sort)

    def settle(self, what):
        """What was written before is there; something more is written, and reaches everybody."""
        master = settle(self.pods, what)
        kept = int(master.ask("get", "written") or 0)
        assert kept == self.count, f"{what}: {master.host} has {kept} of {self.count} writes"
        self.count += 1
        assert master.ask("incr", "written") == str(self.count)
        followers = str(sum(bool(pod.processes) for pod in self.pods) - 1)
        # WAIT looks at what the same connection wrote.
        answers = master.ask(input=f"set probe {self.count}\nwait {followers} 5000\n").splitlines()
        assert answers == ["OK", followers], f"{what}: the replicas do not follow: {answers}"
        return master


def roll(pods, change=lambda pod: None):
    """As the StatefulSet does it: from the last pod to the first, each one ready for a while before the next."""
    for pod in reversed(pods):
        if pod.processes:
            assert pod.end() == "slave", f"{pod.host} ended as the master"
        change(pod)
        pod.start()
        until(f"{pod.host} is ready", lambda: pod.probe("ready") and pod.probe("alive"), pods)
        time.sleep(MIN_READY)


def a_first_start(story):
    waits = subprocess.Popen(["sh", SCRIPTS / "wait.sh"], env=story.pods[0].environment())
    story.pods[0].start()
    until("the first pod waits for the others", story.pods[0].waits, story.pods)
    until("it is alive", lambda: story.pods[0].probe("alive"), story.pods)
    assert not story.pods[0].probe("ready"), "it has nothing that it could serve"
    assert waits.poll() is None, "who waits for Redis does not wait"
    for pod in story.pods[1:]:
        pod.start()
    assert story.settle("the first start") is story.pods[0]
    waits.wait(timeout=60)


def an_update_to_another_password(story):
    """docs/operations.md, "Change the password of Redis". Each Redis takes both before the first one is restarted."""
    new = "another one, longer"
    writer = Writer(story.pods)
    writer.start()
    for pod in story.pods:
        assert pod.ask(input=f'ACL SETUSER default ">{new}"\nCONFIG SET masterauth "{new}"\n') == "OK\nOK"
        assert pod.sentinel("set", "uitsmijter", "auth-pass", new) == ["OK"]
    roll(story.pods, lambda pod: setattr(pod, "password", new))
    writes, longest, refused = writer.end()
    master = story.settle("an update of all")
    kept = int(master.ask("get", "counted"))
    print(f"    {writes} writes acknowledged, {kept} kept; refused for {refused:.1f} s, at most {longest:.1f} s at once")
    assert kept >= writes, f"{writes - kept} acknowledged writes are lost"
    # Some seconds for a failover, also where the machine is busy; without readiness it was the time of a whole sync.
    assert longest < 30, "nobody took writes for too long"
    former = subprocess.run(["redis-cli", "-h", master.host, "get", "written"], capture_output=True, text=True,
                            env=os.environ | {"REDISCLI_AUTH": PASSWORD})
    assert "NOAUTH" in former.stdout, f"the former password still opens it: {former.stdout}"


def pods_that_go(story):
    dead = story.settle("before the master is killed")
    dead.stop(signal.SIGKILL)
    story.settle("the master was killed")
    dead.start()
    master = story.settle("it comes back")
    assert master is not dead
    assert master.end() == "slave"
    master.start()
    story.settle("the master stepped down and restarts")
    story.stop()
    story.start()
    master = story.settle("everything was down")
    master.stop(signal.SIGKILL)
    master.lose_the_volume()
    master.start()
    story.settle("the master restarts without its volume")


def an_outage_of_all_in_which_a_volume_is_lost(story):
    """The one without a volume starts first, and has all the time to make itself the master."""
    for which in ("the first pod", "the master"):
        master = story.settle(f"before {which} loses its volume")
        lost = story.pods[0] if which == "the first pod" else master
        story.stop()
        lost.lose_the_volume()
        lost.start()
        until(f"{lost.host} waits", lost.waits, story.pods)
        time.sleep(6)
        assert lost.waits(), f"{lost.host} did not wait for the others"
        for pod in story.pods:
            if pod is not lost:
                pod.start()
        assert story.settle(f"everything was down, and {which} has lost its volume") is not lost

    # Not the first one, so that the first one has to follow somebody who has nothing either.
    while (master := story.settle("before two volumes are lost")) is story.pods[0]:
        master.end()
        master.start()
    story.stop()
    kept = next(pod for pod in story.pods if pod is not master and pod is not story.pods[0])
    for pod in story.pods:
        if pod is not kept:
            pod.lose_the_volume()
    story.start()
    assert story.settle("everything was down, and only one volume is left, of a replica") is kept

    # A copy of which nobody knows whether it is complete is perhaps all that is left: only a person gives that up.
    story.stop()
    (kept.volume / "incomplete").touch()
    others = [pod for pod in story.pods if pod is not kept]
    for pod in others:
        pod.lose_the_volume()
    story.start()
    for pod in others:
        until(f"{pod.host} waits", pod.waits, story.pods)
    time.sleep(6)
    assert not any(pod.role() == "master" for pod in story.pods), "somebody began without data"
    assert kept.probe("alive"), "it would be restarted again and again"
    (kept.volume / "begin-empty").touch()
    assert story.settle("what was left is taken") is kept


def everything_is_lost(story):
    """The volumes of two are empty, and the third never comes: that is for somebody to decide."""
    story.stop()
    for pod in story.pods:
        pod.lose_the_volume()
    for pod in story.pods[:2]:
        pod.start()
    until("both wait", lambda: all(pod.waits() for pod in story.pods[:2]), story.pods)
    (story.pods[0].volume / "begin-empty").touch()
    until("one begins", lambda: story.pods[0].role() == "master", story.pods)
    story.count = 0
    story.pods[2].start()
    assert story.settle("all volumes were lost, and somebody said so") is story.pods[0]


def more_pods(story):
    """docs/operations.md, "More pods": five instead of three."""
    story.pods += [Pod(number, story.folder) for number in (3, 4)]
    for pod in story.pods:
        pod.count, pod.password = 5, story.pods[0].password
    roll(story.pods)
    story.settle("five instead of three")
    for pod in story.pods:
        known = pod.sentinel("master", "uitsmijter")
        assert known[known.index("quorum") + 1] == "3", known
        until("all know each other", lambda: pod.sentinel("ckquorum", "uitsmijter")[0].startswith("OK 5"), story.pods)


CHAPTERS = [an_update_to_another_password, pods_that_go, an_outage_of_all_in_which_a_volume_is_lost, a_restore, everything_is_lost,
            more_pods, a_restore_of_ones_own]


def main():
    """All chapters, or the first start and those that are named."""
    with tempfile.TemporaryDirectory() as folder:
        story = Story(folder)
        try:
            a_first_start(story)
            for chapter in CHAPTERS:
                if not sys.argv[1:] or chapter.__name__ in sys.argv[1:]:
                    chapter(story)
        finally:
            story.stop(signal.SIGKILL)
    print("redis: good")


if __name__ == "__main__":
    main()
