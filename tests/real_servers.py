"""The last line of a run: which servers the connectors were tested on, and which not. `conftest.py` loads this file.

A server is real if `tests/servers/NAME.sh` installs it. Its tests are in `test_NAME.py`; those that are skipped because
it is not there name that script in their reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_SCRIPT = re.compile(r"tests/servers/(\w+)\.sh")


def line(names: Iterable[str], ran: Iterable[str], skipped: Iterable[str]) -> str:
    """What to print for the servers `names`, from the files whose tests ran and the reasons of those that did not; ""
    where no server was to be tested."""
    missing = {found[1] for reason in skipped if (found := _SCRIPT.search(reason))}
    files = {Path(file).name for file in ran}
    tested = sorted(name for name in names if name not in missing and f"test_{name}.py" in files)
    if not tested and not missing:
        return ""
    those = f" ({', '.join(tested)})" if tested else ""
    others = f"{len(missing)} skipped: {', '.join(sorted(missing))}" if missing else "none skipped"
    return f"real servers: {len(tested)} tested{those}, {others}"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    names = [path.stem for path in (Path(__file__).parent / "servers").glob("*.sh") if path.stem != "install"]
    stats = terminalreporter.stats
    ran = {report.nodeid.partition("::")[0] for kind in ("passed", "failed") for report in stats.get(kind, [])}
    skipped = {str(report.longrepr[2]) for report in stats.get("skipped", []) if isinstance(report.longrepr, tuple)}
    if said := line(names, ran, skipped):
        terminalreporter.write_line(said)
