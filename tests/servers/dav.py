"""A real WebDAV server (wsgidav behind cheroot) over a folder, and the ways in which others differ or fail."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cheroot.wsgi import Server
from wsgidav import util
from wsgidav.fs_dav_provider import FileResource, FilesystemProvider, FolderResource
from wsgidav.wsgidav_app import WsgiDAVApp

USER, PASSWORD = "reader", "choir-practice"
TOKEN = "oQ3vGkLr8xYzT1a"
"""Of a public link: a user without a password, as Nextcloud and ownCloud have it."""
OC = "{http://owncloud.org/ns}fileid"


class DavServer:
    """Serves `folder` below `mount`. `requests` are the methods, paths and depths that were asked.

    `mode` is how it takes a question for all: "infinity" (it answers), "finite" (it refuses), "silent" (it answers with
    one level and does not say so). `fault` maps a path to what is done to answers about it: a function of status and
    body, which returns both. With `numbered`, files have numbers and etags of folders follow what is in them, as on
    ownCloud, Nextcloud and CERNBox. With `locked`, one has to sign in.
    """

    def __init__(self, folder: Path, mount: str = "", *, numbered: bool = False, locked: bool = False) -> None:
        self.mode = "infinity"
        self.fault: dict[str, Callable[[str, bytes], tuple[str, bytes]]] = {}
        self.requests: list[tuple[str, str, str]] = []
        provider = (_Numbered if numbered else FilesystemProvider)(str(folder))
        users = {USER: {"password": PASSWORD}, TOKEN: {"password": ""}} if locked else True
        self._app = WsgiDAVApp(
            {
                "provider_mapping": {mount or "/": provider},
                "simple_dc": {"user_mapping": {"*": users}},
                "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
                "verbose": 0,
                "logging": {"enable": False},
            }
        )
        self._server = Server(("127.0.0.1", 0), self._answer, numthreads=4)
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve)
        self.address = f"127.0.0.1:{self._server.bind_addr[1]}"
        self.url = f"http://{self.address}{mount}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop()
        self._thread.join()

    def asked(self, method: str) -> list[tuple[str, str]]:
        """Paths and depths of the requests so far of a kind, which are then forgotten."""
        found = [(path, depth) for name, path, depth in self.requests if name == method]
        self.requests = [request for request in self.requests if request[0] != method]
        return found

    def _answer(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].encode("latin-1").decode()
        depth = environ.get("HTTP_DEPTH", "")
        self.requests.append((method, path, depth))
        if depth == "infinity" and self.mode == "finite":
            body = b'<?xml version="1.0"?><error xmlns="DAV:"><propfind-finite-depth/></error>'
            start("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        if depth == "infinity" and self.mode == "silent":
            environ["HTTP_DEPTH"] = "1"
        said: list[Any] = []
        body = b"".join(self._app(environ, lambda status, headers, info=None: said.extend((status, headers))))
        status, headers = said
        if path in self.fault:
            status, body = self.fault[path](status, body)
            headers = [(k, v) for k, v in headers if k.lower() not in ("content-length", "transfer-encoding")]
            headers.append(("Content-Length", str(len(body))))
        if body.lstrip()[:9].lower() == b"<!doctype":
            headers = [*((k, v) for k, v in headers if k.lower() != "content-type"), ("Content-Type", "text/html")]
        start(status, headers)
        return [body]


def without(name: str) -> Callable[[str, bytes], tuple[str, bytes]]:
    """An answer that leaves one file out, its folder with it."""
    pattern = rb"<(\w+:)?response>(?:(?!</?(\w+:)?response>).)*" + name.encode() + rb".*?</(\w+:)?response>"
    return lambda status, body: (status, re.sub(pattern, b"", body, count=1, flags=re.S))


class _Numbered(FilesystemProvider):
    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> Any:
        found = super().get_resource_inst(path, environ)
        if found is None:
            return None
        kind = _NumberedFolder if isinstance(found, FolderResource) else _NumberedFile
        return kind(path, environ, found._file_path)


class _Number:
    _file_path: str

    def get_property_names(self, *, is_allprop: bool) -> list[str]:
        return [*super().get_property_names(is_allprop=is_allprop), OC]  # type: ignore[misc]

    def get_property_value(self, name: str) -> Any:
        if name == OC:
            return str(Path(self._file_path).stat().st_ino)
        return super().get_property_value(name)  # type: ignore[misc]


class _NumberedFile(_Number, FileResource):
    pass


class _NumberedFolder(_Number, FolderResource):
    def get_member(self, name: str) -> Any:
        return self.provider.get_resource_inst(util.join_uri(self.path, name), self.environ)

    def support_etag(self) -> bool:
        return True

    def get_etag(self) -> str:
        files = sorted(path for path in Path(self._file_path).rglob("*"))
        state = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files]
        return hashlib.sha256(repr(state).encode()).hexdigest()
