"""Secrets come from the environment or a private file, and no message shows them."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from assistant.errors import SettingsError
from ingest.connectors.options import WebOptions
from ingest.fetch.secret import secret_of


def options(**more: str) -> WebOptions:
    return WebOptions(kind="test", url="https://wiki.example/", **more)  # type: ignore[arg-type]


def private(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def refused(given: WebOptions) -> str:
    with pytest.raises(SettingsError) as raised:
        secret_of(given)
    said = "".join(traceback.format_exception(raised.value)) + repr(raised.value)
    assert "hunter" not in said
    return str(raised.value)


def test_none() -> None:
    assert secret_of(options()) == ""


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI", " hunter 2\n")
    assert secret_of(options(secret_env="WIKI")) == "hunter 2"


def test_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in (0o600, 0o400):
        path = private(tmp_path / f"secret{mode}", "hüntér2\n".encode(), mode)
        assert secret_of(options(secret_file=str(path))) == "hüntér2"
    monkeypatch.setenv("HOME", str(tmp_path))
    private(tmp_path / "at-home", b"hunter2")
    assert secret_of(options(secret_file="~/at-home")) == "hunter2"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o622, 0o777, 0o601])
def test_a_file_that_others_can_read(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "secret", b"hunter2", mode)
    assert f"chmod 600 {path}" in refused(options(secret_file=str(path)))


def test_what_is_missing_or_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WIKI", raising=False)
    assert "WIKI" in refused(options(secret_env="WIKI"))
    monkeypatch.setenv("WIKI", " \n")
    assert "WIKI" in refused(options(secret_env="WIKI"))
    assert "not the secret" in refused(options(secret_env="hunter2"))
    assert "No such file" in refused(options(secret_file=str(tmp_path / "nothing")))
    assert "directory" in refused(options(secret_file=str(private_folder(tmp_path))))
    assert "empty" in refused(options(secret_file=str(private(tmp_path / "empty", b"\n"))))
    assert "Keep one" in refused(options(secret_env="WIKI", secret_file="secret"))


def private_folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir(mode=0o700)
    return tmp_path / "folder"


@pytest.mark.parametrize(
    "content", [b"hunter2\nhunter3", b"hunter2\r\nX-Evil: y", b"hunter\0two", b"hunter\x1b[1m"], ids=range(4)
)
def test_more_than_one_line(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    refused(options(secret_file=str(private(tmp_path / "secret", content))))
    if b"\0" not in content:
        monkeypatch.setenv("WIKI", content.decode())
        assert "WIKI" in refused(options(secret_env="WIKI"))


def test_what_is_no_text(tmp_path: Path) -> None:
    assert "UTF-8" in refused(options(secret_file=str(private(tmp_path / "secret", b"hunter\xff"))))


def test_options_do_not_hold_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WIKI", "hunter2")
    given = options(secret_env="WIKI")
    secret_of(given)
    assert "hunter2" not in given.model_dump_json() + repr(given)
