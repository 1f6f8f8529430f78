"""The process that forks a child for each crash; see zygote.py."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Ask = Callable[..., Any]
# What is beside this file (story.py and so on) is imported by name, here and in the processes that these tests start.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def zygote() -> Iterator[Ask]:
    """zygote("plain", "update", folder) runs `story.update` in a forked child; likewise `watched` and `kill_after`."""
    # One thread: a process that forks must not have more.
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("zygote.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin
    assert process.stdout

    def ask(function: str, *arguments: Any) -> Any:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([function, *arguments], default=str) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, "the zygote died; see its messages above"
        return json.loads(line)

    yield ask
    process.stdin.close()
    assert process.wait(60) == 0


@pytest.fixture(scope="session")
def watching(zygote: Ask) -> Ask:
    """The zygote, where system calls can be watched."""
    if reason := zygote("why_not")["value"]:
        pytest.skip(reason)
    return zygote
