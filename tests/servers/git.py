"""Real git servers on loopback: `git daemon` and `git http-backend`, behind sockets that can be made to fail."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer

CLEAN = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nowhere"}


class Repository:
    """A repository that is written to and served."""

    def __init__(self, path: Path, branch: str = "main") -> None:
        self.path = path
        subprocess.run(["git", "init", "-q", "-b", branch, path], env=CLEAN, check=True)
        self.day = 0

    def git(self, *arguments: str, author: str = "Ada Lovelace") -> str:
        date = f"2026-03-{self.day % 28 + 1:02}T12:00:00Z"
        who = {"NAME": author, "EMAIL": "a@example.org", "DATE": date}
        named = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        command = ["git", "-C", self.path, *arguments]
        return subprocess.run(command, env={**CLEAN, **named}, check=True, capture_output=True, text=True).stdout

    def write(self, **files: str) -> None:
        for name, text in files.items():
            self.put(name, text)

    def put(self, name: str, text: str | bytes) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def commit(self, author: str = "Ada Lovelace") -> str:
        """Everything as it is in the work tree; a day after the commit before."""
        self.day += 1
        self.git("add", "-A", author=author)
        self.git("commit", "-q", "--allow-empty", "-m", f"day {self.day}", author=author)
        return self.git("rev-parse", "HEAD").strip()


class GitDaemon:
    """`git daemon` for the repositories in a folder. With `cut_after`, so many bytes of each answer get through; with
    `stall_after`, no more come after so many, and `stalled` is set, until the client goes."""

    def __init__(self, folder: Path) -> None:
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.stalled = threading.Event()
        self.conversations = 0
        self.virtual_hosts: list[str] = []
        outer = self

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                outer.conversations += 1
                outer._serve(self.request, folder)

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]

    def _serve(self, connection: socket.socket, folder: Path) -> None:
        whole = socket.MSG_PEEK | socket.MSG_WAITALL
        request = connection.recv(int(connection.recv(4, whole), 16), whole).decode()
        self.virtual_hosts.append(request.partition("host=")[2].split("\0")[0])
        command = ["git", "daemon", "--inetd", "--export-all", f"--base-path={folder}"]
        process = subprocess.Popen(
            command, stdin=connection, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=CLEAN
        )
        assert process.stdout
        sent = 0
        while piece := os.read(process.stdout.fileno(), 1024):
            connection.sendall(piece[: max(0, self.cut_after - sent)] if self.cut_after is not None else piece)
            sent += len(piece)
            if self.cut_after is not None and sent >= self.cut_after:
                process.kill()
                break
            if self.stall_after is not None and sent >= self.stall_after:
                self.stalled.set()
                process.kill()
                connection.recv(1)
                break
        process.stdout.close()
        process.wait()

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"git://{host}:{self.port}/{name}"


class GitHTTP:
    """`git http-backend` for the repositories in a folder; over https with a `certificate`, whose file holds the key.

    With `password`, a request must hold it; with `redirect`, every answer leads there. `asked` are the host names that
    requests were for.
    """

    def __init__(self, folder: Path, certificate: Path | None = None) -> None:
        self._scheme = "https" if certificate else "http"
        self.password = ""
        self.redirect = ""
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each answer waits 40 ms

            def do_GET(self) -> None:
                outer.asked.append(self.headers["Host"])
                if outer.redirect:
                    self.send_response(302)
                    self.send_header("Location", outer.redirect + self.path)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif outer.password and not outer._let_in(self.headers.get("Authorization", "")):
                    self.send_response(401)
                    self.send_header("WWW-Authenticate", 'Basic realm="git"')
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                else:
                    outer._serve(self, folder)

            do_POST = do_GET  # noqa: N815

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]

    def _let_in(self, header: str) -> bool:
        kind, _, given = header.partition(" ")
        return kind == "Basic" and base64.b64decode(given).decode().split(":", 1)[1] == self.password

    def _serve(self, request: BaseHTTPRequestHandler, folder: Path) -> None:
        path, _, query = request.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": str(folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": request.command, "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""), "REMOTE_ADDR": "127.0.0.1",
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        }  # fmt: skip
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        answer = subprocess.run(
            ["git", "http-backend"], input=body, env={**CLEAN, **variables}, capture_output=True, check=True
        ).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    def url(self, name: str, host: str = "127.0.0.1") -> str:
        return f"{self._scheme}://{host}:{self.port}/{name}"


@contextmanager
def running(server: GitDaemon | GitHTTP) -> Iterator[None]:
    thread = threading.Thread(target=server._server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server._server.shutdown()
        server._server.server_close()
        thread.join()


def certificate(name: str, folder: Path) -> Path:
    """A certificate for the host `name`, signed by itself, and its key in one file."""
    file = folder / f"{name}.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + Path(f"{file}.crt").read_bytes())
    return file


def remove(repository: Repository) -> None:
    shutil.rmtree(repository.path)
