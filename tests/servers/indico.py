"""A real Indico with its own PostgreSQL, for as long as it is needed: `indico.sh` installs what it takes."""

from __future__ import annotations

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-indico" / "bin" / "python"


class CannotRun(Exception):
    """Why there can be no Indico here."""


class Indico:
    """A context manager that runs it; methods are the functions of `indico_site.py`."""

    def __enter__(self) -> Self:
        done = subprocess.run([Path(__file__).with_suffix(".sh")], capture_output=True, text=True)
        if done.returncode:
            raise CannotRun((done.stdout + done.stderr).strip()[-300:])
        self._folder = Path(tempfile.mkdtemp(prefix="refdesk-indico-", dir="/tmp"))
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if site := getattr(self, "_site", None):
            site.stdin.close()
            site.terminate()
            site.wait()
            site.stdout.close()
            self._log.close()
        if postgres := getattr(self, "_postgres", None):
            postgres.send_signal(signal.SIGINT)
            postgres.wait()
        shutil.rmtree(self._folder)

    def _start(self) -> None:
        binaries = sorted(glob.glob("/usr/lib/postgresql/*/bin"))  # noqa: PTH207
        initdb = shutil.which("initdb", path=os.pathsep.join([*binaries[::-1], os.environ.get("PATH", "")]))
        assert initdb
        data = self._folder / "data"
        data.mkdir(mode=0o700)
        self._folder.chmod(0o755)
        as_other: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL does not run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(data, nobody.pw_uid, nobody.pw_gid)
            as_other = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/"}
        command = [initdb, "-D", data, "-U", "indico", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"]
        subprocess.run(command, check=True, **quiet, **as_other)
        server = Path(initdb).resolve().with_name("postgres")
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={data}", "-c", "fsync=off"]
        self._postgres = subprocess.Popen([server, "-D", data, *options], **quiet, **as_other)
        psql = Path(initdb).resolve().with_name("psql")
        wait = ["sh", "-c", 'until "$0" -d "$1" -c "" 2>/dev/null; do sleep 0.05; done', psql]
        subprocess.run([*wait, f"postgresql://indico@/postgres?host={data}"], check=True, timeout=60, **quiet)
        said = "CREATE DATABASE indico;", "\\c indico", "CREATE EXTENSION unaccent;", "CREATE EXTENSION pg_trgm;"
        script = "\n".join(said).encode()
        subprocess.run(
            [psql, "-v", "ON_ERROR_STOP=1", f"postgresql://indico@/postgres?host={data}"],
            input=script,
            check=True,
            **quiet,
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.host = f"127.0.0.1:{port}"
        self.url = f"http://{self.host}"
        self._log = (self._folder / "site.log").open("wb")
        self._site = subprocess.Popen(
            [
                PYTHON,
                "-I",  # or this module, which lies beside that one, would be taken for Indico
                Path(__file__).with_name("indico_site.py"),
                self._folder,
                f"postgresql://indico@/indico?host={data}",
                str(port),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self._folder,
            env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder)},
        )
        made = self("prepare")
        self.admin, self.token = made["id"], made["token"]

    def __call__(self, name: str, *arguments: Any) -> Any:
        """Runs one function in Indico."""
        assert self._site.stdin
        assert self._site.stdout
        self._site.stdin.write(json.dumps([name, *arguments]).encode() + b"\n")
        self._site.stdin.flush()
        line = self._site.stdout.readline()
        if not line:
            raise CannotRun((self._folder / "site.log").read_text(errors="replace")[-2000:])
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]
