"""Where a repository is, and how git is made to connect to an address that was checked, and to no other.

git resolves names itself, so it is told the address: curl by `http.curloptResolve`, ssh by `HostName`, and the git
protocol, which knows no certificates, by the address in place of the name.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from assistant.errors import SettingsError
from ingest.connectors.options import ServerOptions
from ingest.fetch.connection import addresses
from ingest.fetch.secret import secret_of

_PORTS = {"https": 443, "http": 80, "git": 9418, "ssh": 22}
_SCP = re.compile(r"(?:(?P<user>[\w.+-]+)@)?(?P<host>[A-Za-z0-9.-]+):(?P<path>(?!//).+)")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")


@dataclass(frozen=True, slots=True)
class Call:
    """How to have git connect: the URL to give it, its settings and environment, and the secrets in these."""

    url: str
    settings: Mapping[str, str] = field(repr=False)
    variables: Mapping[str, str] = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository's address, in parts; for a folder of this machine only `path`."""

    scheme: str
    user: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> Remote:
        """Raises SettingsError for what is no address of a repository, or holds a password."""
        if url.startswith("-") or re.match(r"[\w.+-]*::", url) or any(not char.isprintable() for char in url):
            raise _wrong(url)
        if "://" not in url:
            if (scp := _SCP.fullmatch(url)) and not url.startswith((".", "/", "~")):
                return cls._checked("ssh", scp["user"] or "", scp["host"], 22, scp["path"], url)
            return cls("file", "", "", 0, str(Path(url).expanduser().resolve()))
        parts = urlsplit(url)
        if parts.scheme == "file" and parts.hostname in (None, "localhost"):
            return cls("file", "", "", 0, str(Path(unquote(parts.path)).resolve()))
        if parts.password is not None:
            raise SettingsError("The url of a git source holds a password. Put it where secret_env or secret_file say.")
        try:
            port = parts.port
        except ValueError as error:
            raise _wrong(url) from error
        if parts.query or parts.fragment or not parts.path.strip("/"):
            raise _wrong(url)
        return cls._checked(parts.scheme, parts.username or "", parts.hostname or "", port, parts.path, url)

    @classmethod
    def _checked(cls, scheme: str, user: str, host: str, port: int | None, path: str, url: str) -> Remote:
        """What git, curl and ssh could read otherwise than we do is refused."""
        host = host.lower().rstrip(".")
        if scheme not in _PORTS or not _HOST.fullmatch(host) or path.startswith("-") or user.startswith("-"):
            raise _wrong(url)
        return cls(scheme, user, host, port or _PORTS[scheme], path)

    @property
    def url(self) -> str:
        """In one spelling, without user."""
        if self.scheme == "file":
            return self.path
        return self._url(self.host)

    def _url(self, host: str, user: str = "") -> str:
        where = f"{user}@{host}" if user else host
        if not self.path.startswith("/"):  # below the home folder, which no URL of ssh says the same way everywhere
            return f"{where}:{self.path}"
        where = where.replace(host, f"[{host}]") if ":" in host else where
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{where}{port}{self.path}"

    def call(self, options: ServerOptions) -> Call:
        """How to connect now: the name is resolved and its addresses are checked.

        Raises FetchError where none may be connected to, SettingsError for a secret that cannot be used.
        """
        if self.scheme == "file":
            return Call(self.path, {}, {"GIT_ALLOW_PROTOCOL": "file"}, ())
        allowed = addresses(self.host, self.port, options.allow)
        variables = {"GIT_ALLOW_PROTOCOL": self.scheme}
        if self.scheme == "ssh":
            return Call(self._url(self.host, self.user), {}, {**variables, **self._ssh(allowed[0], options)}, ())
        secret = secret_of(options)
        if self.scheme == "git":
            if secret:
                raise SettingsError(f"{self.url} takes no secret: the git protocol has none. Use https or ssh.")
            name = f"[{self.host}]" if ":" in self.host else self.host
            virtual = name if self.port == _PORTS["git"] else f"{name}:{self.port}"
            return Call(self._url(allowed[0]), {}, {**variables, "GIT_OVERRIDE_VIRTUAL_HOST": virtual}, ())
        shown = ",".join(f"[{a}]" if ":" in a else a for a in allowed)
        settings = {"http.curloptResolve": f"{self.host}:{self.port}:{shown}"}
        secrets: tuple[str, ...] = ()
        if secret:
            basic = base64.b64encode(f"{options.user or self.user or 'git'}:{secret}".encode()).decode()
            settings[f"http.{self._url(self.host)}.extraHeader"] = f"Authorization: Basic {basic}"
            secrets = (secret, basic)
        if authorities := os.environ.get("SSL_CERT_FILE"):  # as Python's ssl has it
            variables["GIT_SSL_CAINFO"] = authorities
        return Call(self._url(self.host), settings, variables, secrets)

    def _ssh(self, address: str, options: ServerOptions) -> dict[str, str]:
        if options.secret_env:
            raise SettingsError(f"{self.url} is read over ssh with a key: secret_file names it, secret_env cannot.")
        known = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        words = ["ssh", "-F", os.devnull, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
        words += ["-o", f"HostName={address}", "-o", f"HostKeyAlias={known}", "-o", "CheckHostIP=no"]
        words += ["-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=30", "-o", "ClearAllForwardings=yes"]
        if options.secret_file:
            key = Path(options.secret_file).expanduser().resolve()
            if not key.is_file():
                raise SettingsError(f"{key} is to hold a private key, but is not there.")
            words += ["-o", "IdentitiesOnly=yes", "-i", str(key)]  # ssh refuses one that others can read
        variables = {"GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}
        agent = os.environ.get("SSH_AUTH_SOCK")
        return {**variables, "SSH_AUTH_SOCK": agent} if agent else variables


def _wrong(url: str) -> SettingsError:
    shown = re.sub(r"//[^/@]*@", "//", url)
    return SettingsError(
        f"{shown!r} is no address of a git repository. Known are https, ssh, git, http, user@host:path and a folder."
    )
