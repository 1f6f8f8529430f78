"""What a run says at its end about the servers that it was made on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent


@pytest.mark.parametrize(
    ("present", "said"),
    [
        ("wiki git", "real servers: 2 tested (git, wiki), none skipped"),
        ("git", "real servers: 1 tested (git), 1 skipped: wiki"),
        ("", "real servers: 0 tested, 2 skipped: git, wiki"),
    ],
)
def test_the_last_line_names_the_servers_that_were_not_there(tmp_path: Path, present: str, said: str) -> None:
    folder = tmp_path / "tests"
    (folder / "servers").mkdir(parents=True)
    (folder / "conftest.py").write_text("pytest_plugins = 'real_servers'\n")
    (folder / "real_servers.py").write_bytes((TESTS / "real_servers.py").read_bytes())
    (folder / "servers" / "install.sh").write_text("")
    for name in ("wiki", "git"):
        (folder / "servers" / f"{name}.sh").write_text("")
        (folder / f"test_{name}.py").write_text(
            "import pytest\n"
            f"@pytest.mark.skipif({name not in present.split()}, reason='{name} is missing: tests/servers/{name}.sh')\n"
            "def test_it(): pass\n"
            "def test_without_it(): pass\n"
        )
    (folder / "test_other.py").write_text("import pytest\ndef test_it(): pytest.skip('no GPU')\n")
    assert last_line(folder) == said
    if not present:
        assert "real servers" not in last_line(folder / "test_other.py")


def last_line(path: Path) -> str:
    folder = path if path.is_dir() else path.parent
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "/dev/null",
        "--rootdir",
        str(folder),
    ]
    done = subprocess.run([*command, str(path)], capture_output=True, text=True, env={"PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stdout + done.stderr
    return [said for said in done.stdout.splitlines() if not said[:1].isdigit()][-1]


def test_the_script_that_installs_them_never_fails(tmp_path: Path) -> None:
    scripts = {
        "install": (TESTS / "servers" / "install.sh").read_text(),
        "here": "exit 0",
        "new": "echo fetched; exit 0",
        "rootless": "echo 'it needs root' >&2; exit 77",
        "broken": "echo trying; exit 5",
    }
    for name, text in scripts.items():
        (tmp_path / f"{name}.sh").write_text(text if name == "install" else f"#!/bin/sh\n{text}\n")
        (tmp_path / f"{name}.sh").chmod(0o755)
    done = subprocess.run(["sh", str(tmp_path / "install.sh")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "not installed: broken: its script ended with 5: trying",
        "here: already there",
        "new: installed",
        "not installed: rootless: it needs root",
    ]
