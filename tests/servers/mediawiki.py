"""A real MediaWiki on loopback: Debian's packages (see mediawiki.sh), SQLite, PHP's own web server.

with MediaWikiServer(tmp_path, private=True) as wiki:
    wiki.edit("Calorimeter", "It weighs 2900 tonnes.")
    wiki.fault = "maxlag 2"
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import escape

import httpx2

HOME = Path("/usr/share/mediawiki")
PASSWORD = "correct horse battery"
READER_PASSWORD = "battery staple horse"
BOT_PASSWORD = "0123456789abcdef0123456789abcdef"

_SETTINGS = """
$wgServer = "{address}";
$wgJobRunRate = 0;
$wgDBservers = [[
    'type' => 'sqlite', 'dbname' => 'wiki', 'dbDirectory' => "{folder}/db", 'load' => 1, 'flags' => DBO_DEFAULT,
    'user' => '', 'password' => '', 'host' => '', 'variables' => ['synchronous' => 'OFF'],
]];
$wgEnableUploads = true;
$wgFileExtensions = ['png', 'pdf', 'txt', 'docx'];
$wgUploadDirectory = "{folder}/images";
$wgUploadPath = {private} ? "/img_auth.php" : "/images";
$wgVerifyMimeType = false;
$wgRateLimits = [];
$wgNamespacesWithSubpages[NS_MAIN] = true;
$wgExtraNamespaces[3000] = "Notes";
$wgExtraNamespaces[3001] = "Notes_talk";
$wgContentNamespaces[] = 3000;
$wgPageLanguageUseDB = true;
$wgGroupPermissions['sysop']['pagelang'] = true;
if ({private}) {{
    $wgGroupPermissions['*']['read'] = false;
    $wgGroupPermissions['*']['createaccount'] = false;
}}
@include "{folder}/more.php";
"""

# Faults come before MediaWiki: PHP's server asks this script first, and it answers itself or lets the wiki answer.
_ROUTER = r"""<?php
$folder = getenv('WIKI_FOLDER');
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$fault = @file_get_contents("$folder/fault") ?: '';
[$kind, $left] = explode(' ', "$fault  ");
$hit = $kind !== '' && str_ends_with($path, '/api.php');
if ($hit && ctype_digit($left)) {
    if ((int)$left <= 0) { $hit = false; } else { file_put_contents("$folder/fault", "$kind " . ((int)$left - 1)); }
}
if ($hit && $kind === 'maxlag') {
    header('Content-Type: application/json'); header('Retry-After: 0');
    echo json_encode(['error' => ['code' => 'maxlag', 'info' => 'Waiting for 127.0.0.1: 9 seconds lagged.']]);
    return true;
}
if ($hit && $kind === 'login-page') {
    header('Content-Type: text/html'); echo '<html><form>Sign in <input name="password"></form></html>'; return true;
}
if ($hit && $kind === 'cut') {
    header('Content-Type: application/json'); echo '{"batchcomplete":true,"query":{"pages":[{"pageid":1,'; return true;
}
if ($hit && $kind === 'unavailable') { http_response_code(503); header('Retry-After: 0'); return true; }
if ($hit && $kind === 'error') { http_response_code(500); return true; }
if ($hit && $kind === 'no-batchcomplete' && isset($_GET['generator'])) {
    header('Content-Type: application/json'); echo '{"query":{"pages":[]}}'; return true;
}
if ($hit && $kind === 'same-continue' && isset($_GET['generator'])) {
    header('Content-Type: application/json');
    echo '{"batchcomplete":true,"continue":{"gapcontinue":"X","continue":"gapcontinue||"},"query":{"pages":[]}}';
    return true;
}
if (str_starts_with($path, '/images/')) {
    $file = realpath($folder . urldecode($path));
    if (!$file || !str_starts_with($file, realpath("$folder/images"))) { http_response_code(404); return true; }
    header('Content-Type: ' . (mime_content_type($file) ?: 'application/octet-stream'));
    readfile($file);
    return true;
}
return false;
"""


def installed() -> bool:
    return shutil.which("php") is not None and (HOME / "api.php").exists()


class MediaWikiServer:
    """A fresh wiki below `folder`. Its users: Admin with PASSWORD, Reader with READER_PASSWORD, and with
    BOT_PASSWORD as Reader@refdesk.

    `fault` is what api.php does instead of its work, "" for nothing, with a number for how many requests: maxlag,
    login-page, cut, unavailable, error, no-batchcomplete, same-continue.
    """

    def __init__(self, folder: Path, *, private: bool = False) -> None:
        self.folder = folder
        self.private = private
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "images").mkdir()
        (folder / "router.php").write_text(_ROUTER)
        self._php(
            "install", "--dbtype", "sqlite", "--dbname", "wiki", "--dbpath", folder / "db", "--confpath", folder,
            "--server", "http://127.0.0.1", "--scriptpath", "", "--pass", PASSWORD, "Test Wiki", "Admin",
            configured=False,
        )  # fmt: skip
        self._generated = (folder / "LocalSettings.php").read_text()
        self._process = self._started()
        self._admin = httpx2.Client(base_url=self.address, timeout=60, trust_env=False)
        self._run("createAndPromote", "Reader", READER_PASSWORD)
        self._run("createBotPassword", "--appid", "refdesk", "--grants", "basic,highvolume", "Reader", BOT_PASSWORD)
        self._token = self._signed_in()

    def _started(self) -> subprocess.Popen[bytes]:
        """PHP's server on a free port; another one if somebody took it meanwhile."""
        for _ in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
            self.address = f"http://127.0.0.1:{self.port}"
            private = "true" if self.private else "false"
            settings = _SETTINGS.format(address=self.address, folder=self.folder, private=private)
            (self.folder / "LocalSettings.php").write_text(self._generated + settings)
            process = subprocess.Popen(
                ["php", "-S", f"127.0.0.1:{self.port}", "-t", str(HOME), str(self.folder / "router.php")],
                env=self._environment() | {"PHP_CLI_SERVER_WORKERS": "4"},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            assert process.stderr
            said = b""
            while b"started" not in said and (line := process.stderr.readline()):
                said += line
            if b"started" in said:
                process.stderr.close()
                return process
            process.wait()
        raise RuntimeError(f"php did not start: {said.decode()}")

    @property
    def url(self) -> str:
        return f"{self.address}/api.php"

    @property
    def fault(self) -> str:
        return (self.folder / "fault").read_text()

    @fault.setter
    def fault(self, kind: str) -> None:
        (self.folder / "fault").write_text(kind)

    def settings(self, php: str) -> None:
        """More settings, from the next request on."""
        (self.folder / "more.php").write_text(f"<?php\n{php}\n")

    def edit(self, title: str, text: str, **more: str) -> int:
        """Creates or changes a page; its id."""
        return int(self.post("edit", title=title, text=text, **more)["edit"]["pageid"])

    def move(self, old: str, new: str, **more: str) -> None:
        self.post("move", **{"from": old, "to": new, **more})

    def delete(self, title: str) -> None:
        self.post("delete", title=title)

    def restore(self, title: str) -> None:
        self.post("undelete", title=title)

    def upload(self, name: str, data: bytes) -> None:
        self.post("upload", files={"file": (name, data)}, filename=name, ignorewarnings="1", comment="new")

    def post(self, action: str, files: Any = None, **parameters: str) -> Any:
        form = {"action": action, "format": "json", "token": self._token, **parameters}
        answer = self._admin.post("/api.php", data=form, files=files).json()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def forget_sessions(self) -> None:
        """Signs everybody out, as when sessions expire; the helper signs in again."""
        self._run("eval", script=b'$GLOBALS["x"]=ObjectCache::getLocalClusterInstance(); '
                  b'wfGetDB(DB_PRIMARY)->delete("objectcache", "*");\n')  # fmt: skip
        self._token = self._signed_in()

    def import_pages(self, pages: Iterator[tuple[str, str]]) -> None:
        """Many pages at once, which leaves no trace in the recent changes."""
        dump = ['<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11">']
        for title, text in pages:
            dump.append(
                f"<page><title>{escape(title)}</title><ns>0</ns><revision><timestamp>2026-01-02T03:04:05Z</timestamp>"
                f"<contributor><username>Importer</username></contributor><model>wikitext</model>"
                f"<format>text/x-wiki</format><text>{escape(text)}</text></revision></page>"
            )
        file = self.folder / "import.xml"
        file.write_text("\n".join([*dump, "</mediawiki>"]))
        self._run("importDump", "--no-updates", "--quiet", str(file))

    def dump(self) -> str:
        """The wiki as an XML dump of current revisions."""
        return self._run("dumpBackup", "--current", "--quiet")

    def _signed_in(self) -> str:
        self._admin.cookies.clear()
        ask = {"action": "query", "meta": "tokens", "type": "login", "format": "json"}
        token = self._admin.get("/api.php", params=ask).json()["query"]["tokens"]["logintoken"]
        form = {"action": "login", "lgname": "Admin", "lgpassword": PASSWORD, "lgtoken": token, "format": "json"}
        assert self._admin.post("/api.php", data=form).json()["login"]["result"] == "Success"
        ask = {"action": "query", "meta": "tokens", "format": "json"}
        return str(self._admin.get("/api.php", params=ask).json()["query"]["tokens"]["csrftoken"])

    def _environment(self) -> dict[str, str]:
        more = {"MW_CONFIG_FILE": str(self.folder / "LocalSettings.php"), "WIKI_FOLDER": str(self.folder)}
        return {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | more

    def _run(self, script_name: str, *arguments: str, script: bytes | None = None) -> str:
        return self._php(script_name, *arguments, script=script)

    def _php(self, name: str, *arguments: str | Path, configured: bool = True, script: bytes | None = None) -> str:
        environment = self._environment()
        if not configured:
            del environment["MW_CONFIG_FILE"]
        done = subprocess.run(
            ["php", str(HOME / "maintenance" / f"{name}.php"), *map(str, arguments)],
            env=environment,
            input=script or b"",
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stdout.decode()} {done.stderr.decode()}")
        return done.stdout.decode()

    def close(self) -> None:
        self._admin.close()
        os.killpg(self._process.pid, signal.SIGTERM)  # its own session, so the workers too
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
