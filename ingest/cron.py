"""The line that makes cron run `refdesk sync`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

from assistant.errors import RefdeskError


def cron_line(schedule: str, library: Path, metrics: Path | None) -> str:
    """What is to stand in the crontab: it runs in this folder, where `refdesk.toml` is, and appends to a log there."""
    command = [str(Path(sys.executable).with_name("refdesk")), "sync", "--library", str(library)]
    if metrics:
        command += ["--metrics", str(metrics)]
    line = f"{schedule} cd {shlex.quote(str(Path.cwd()))} && {shlex.join(command)} --json >> refdesk-sync.log 2>&1"
    return line.replace("%", "\\%") + f" {_mark(library)}"  # to cron, % ends the line


def install(schedule: str, library: Path, metrics: Path | None = None) -> str:
    """Puts the line into the user's crontab, in place of an earlier one for this library, and returns it.

    Raises RefdeskError where there is no `crontab`, or it refuses; nothing is changed then.
    """
    line = cron_line(schedule, library, metrics)
    try:
        listed = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False)
        if listed.returncode and "no crontab" not in listed.stderr.lower():
            raise RefdeskError(f"crontab -l failed: {listed.stderr.strip()}. The line would be: {line}")
        kept = [old for old in listed.stdout.splitlines() if not old.endswith(_mark(library))]
        new = "\n".join([*kept, line]) + "\n"
        subprocess.run(["crontab", "-"], input=new, capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise RefdeskError(f"There is no program crontab here. The line would be: {line}") from error
    except subprocess.CalledProcessError as error:
        raise RefdeskError(f"crontab refused the line: {error.stderr.strip()}. It was: {line}") from error
    return line


def _mark(library: Path) -> str:
    return f"# refdesk sync {library.resolve()}"
