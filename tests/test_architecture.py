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
    "finetune": {"finetune", "assistant"},
    "eval": {"eval", "assistant", "ingest"},
    "app": {"app", "assistant", "ingest"},
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
