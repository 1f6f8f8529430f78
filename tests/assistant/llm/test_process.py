from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from assistant.llm import process

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"])
time.sleep(600)
"""


@pytest.mark.skipif(not shutil.which("ps"), reason="there is no ps")
@pytest.mark.skipif(not process._PROC.exists(), reason="there is no /proc")
def test_proc_and_ps_agree() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True) as child:
        by_proc = {one.pid: one.group for one in process._from_proc()}
        by_ps = {one.pid: one.group for one in process._from_ps()}
        child.kill()
    assert by_proc[child.pid] == by_ps[child.pid] == child.pid
    assert by_proc[os.getpid()] == by_ps[os.getpid()] == os.getpgid(0)


def test_a_process_keeps_its_stamp_and_its_successor_has_another() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        first = process.running()[child.pid]
        assert process.running()[child.pid] == first
        child.kill()
    assert child.pid not in process.running()
    time.sleep(0.02)  # the stamp counts hundredths of a second
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        assert process.running()[child.pid].started != first.started
        child.kill()


def test_a_zombie_does_not_run() -> None:
    with subprocess.Popen([sys.executable, "-c", "pass"]) as child:
        end = time.monotonic() + 10
        while child.pid in process.running():  # it has ended, and nobody has asked for its exit code
            assert time.monotonic() < end
        os.kill(child.pid, 0)  # the number is still taken


def test_what_ignores_sigterm_is_killed() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=True, stdout=subprocess.PIPE) as child:
        assert child.stdout
        assert child.stdout.readline() == b"ready\n"
        leader = process.running()[child.pid]
        assert len(process.members(leader)) == 2
        begun = time.monotonic()
        process.end_group(leader, seconds=0.3)
        assert process.members(leader) == []
        assert 0.3 <= time.monotonic() - begun < 5


def test_a_group_of_another_leader_is_left_alone() -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True) as child:
        before = process.Process(child.pid, child.pid, "an earlier start")
        assert process.members(before) == []
        process.end_group(before, seconds=0.1)
        assert child.poll() is None
        child.send_signal(signal.SIGKILL)
