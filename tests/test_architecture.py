"""The house rules that code can hold: which package may import which, how long a module is, what loads when."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT = {
    "assistant": {"assistant"},
    "ingest": {"ingest", "assistant"},
    "finetune": {"finetune", "assistant", "ingest"},
    "eval": {"eval", "assistant", "ingest"},
    "app": {"app", "assistant", "ingest", "eval"},
}
MODULES = sorted(file for package in MAY_IMPORT for file in (ROOT / package).rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "base", "manager", "common", "misc", "factory", "registry", "core"}
HEAVY = {
    "numba",
    "numpy",
    "torch",
    "transformers",
    "sentence_transformers",
    "faiss",
    "openai",
    "langchain_core",
    "llama_index",
}
# Whatever opens connections: those of a source are made, and checked, in one place.
NETWORK = {
    "aiohttp",
    "atlassian",
    "curl_cffi",
    "fsspec",
    "ftplib",
    "http.client",
    "httpcore",
    "httpcore2",
    "httplib2",
    "httpx",
    "httpx2",
    "imaplib",
    "mwclient",
    "oaipmh_scythe",
    "poplib",
    "pycurl",
    "requests",
    "sickle",
    "smtplib",
    "socket",
    "ssl",
    "telnetlib",
    "trafilatura.downloads",
    "trafilatura.feeds",
    "trafilatura.sitemaps",
    "trafilatura.spider",
    "urllib.request",
    "urllib3",
    "webdav4",
    "websockets",
    "xmlrpc",
}
CONNECTS = {"ingest/fetch/answer.py", "ingest/fetch/connection.py", "ingest/fetch/client.py"}


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative import"
            yield node.module or ""


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_arrows(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, f"{package} has no modules"
    wrong = [
        f"{file.relative_to(ROOT)} imports {name}"
        for file in files
        for name in imported(file)
        if (top := name.split(".")[0]) in MAY_IMPORT and top not in MAY_IMPORT[package]
    ]
    assert not wrong


def mentioned(file: Path) -> Iterator[str]:
    """Modules that a file imports, by a statement, from a package, or as a string for importlib."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Attribute) and (whole := ast.unparse(node)).startswith(("http.", "urllib.")):
            yield whole


def connects(file: Path) -> set[str]:
    return {name for word in mentioned(file) for name in NETWORK if word == name or word.startswith(name + ".")}


def test_ingest_opens_connections_in_one_place() -> None:
    files = {str(file.relative_to(ROOT)): file for file in MODULES if file.is_relative_to(ROOT / "ingest")}
    assert {name: found for name, file in files.items() if (found := connects(file)) and name not in CONNECTS} == {}
    assert set(files) >= CONNECTS


@pytest.mark.parametrize(
    "code",
    [
        "import requests",
        "import urllib.request as r",
        "from urllib import request",
        "from urllib.request import urlopen",
        "def f():\n    from http import client",
        "import importlib\nimportlib.import_module('httpx2')",
        "__import__('urllib.request')",
        "import urllib\nurllib.request.urlopen('x')",
        "from trafilatura import downloads",
    ],
)
def test_no_import_of_a_network_library_hides(code: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(code)
    assert connects(file)
    file.write_text("from urllib.parse import quote\nfrom urllib.robotparser import RobotFileParser\n")
    assert not connects(file)


def test_top_level_folders() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    folders = {name.split("/")[0] for name in tracked if "/" in name}
    assert folders == {*MAY_IMPORT, "tests", ".ci"}


def test_module_names_say_what_they_hold() -> None:
    assert not [str(file.relative_to(ROOT)) for file in MODULES if file.stem in VAGUE]


def test_modules_are_short() -> None:
    long = {
        str(f.relative_to(ROOT)): n for f in MODULES if (n := len(f.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def test_functions_fit_a_screen() -> None:
    long = [
        f"{file.relative_to(ROOT)}:{node.lineno} {node.name}"
        for file in MODULES
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (node.end_lineno or 0) - node.lineno > 70
    ]
    assert not long


def test_every_module_says_its_idea() -> None:
    silent = [
        str(f.relative_to(ROOT)) for f in MODULES if not ast.get_docstring(ast.parse(f.read_text(encoding="utf-8")))
    ]
    assert not silent


@pytest.mark.parametrize(
    "statement", ["import assistant", "import ingest", "import assistant.cli", "import ingest.cli"]
)
def test_imports_are_light(statement: str) -> None:
    code = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(loaded.split())
