"""Chapters of redis.py: backups are restored as docs/operations.md tells it."""

import shutil
import subprocess

from pods import until


def a_restore(story):
    """docs/operations.md, "Restore the Redis of the chart"."""
    master = story.settle("before the backup")
    backup = subprocess.run(["redis-cli", "-h", master.host, "--rdb", "-"], env=master.environment(), check=True,
                            capture_output=True).stdout
    then = story.count
    replica = next(pod for pod in story.pods[1:] if pod is not story.settle("after the backup"))
    (replica.volume / "restore.rdb").write_bytes(backup)
    replica.end()
    replica.start()
    story.settle("a backup in a pod, while there is a master")
    assert replica.said("restore.rdb is not used: there is a master")

    first = story.pods[0]
    (first.volume / "restore.rdb").write_bytes(backup)
    story.stop()
    for pod in story.pods[1:]:
        pod.lose_the_volume()
    story.start()
    story.count = then
    assert story.settle("a backup was restored") is first

    (first.volume / "restore.rdb").write_bytes(backup[:len(backup) // 2])
    story.stop()
    first.start()
    until("it is refused", lambda: first.said("restore.rdb is not used: it is damaged"), story.pods)
    for pod in story.pods[1:]:
        pod.start()
    story.settle("a backup that is cut off")


def a_restore_of_ones_own(story):
    """docs/operations.md, "Restore a Redis of your own"."""
    folder = story.folder / "own"
    folder.mkdir()

    def ask(*words):
        return subprocess.run(["redis-cli", "-h", "127.77.0.9", *words], capture_output=True).stdout.strip()

    def run(appendonly):
        process = subprocess.Popen(["redis-server", "--bind", "127.77.0.9", "--dir", folder, "--appendonly", appendonly],
                                   stdout=subprocess.DEVNULL)
        until("it answers", lambda: ask("ping") == b"PONG", [])
        return process

    def rewritten():
        told = ask("info", "persistence")
        return b"aof_rewrite_in_progress:0" in told and b"aof_rewrite_scheduled:0" in told and told

    running = run("yes")
    try:
        ask("set", "written", "before")
        backup = ask("--rdb", "-")
        ask("shutdown", "nosave")
        running.wait()
        shutil.rmtree(folder / "appendonlydir")
        (folder / "dump.rdb").write_bytes(backup)
        running = run("no")
        ask("config", "set", "appendonly", "yes")
        assert b"aof_last_bgrewrite_status:ok" in until("the log is written", rewritten, [])[0]
        ask("shutdown")
        running.wait()
        running = run("yes")
        assert ask("get", "written") == b"before"
    finally:
        running.kill()
        running.wait()
    print("  a Redis of one's own was restored")
