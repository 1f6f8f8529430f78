"""The README tells the truth: its tree is the tree, its commands exist, its Python runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from assistant.cli import commands
from assistant.settings import Settings
from ingest.connectors.connector import Connector
from ingest.connectors.options import ServerOptions, SourceOptions, WebOptions
from ingest.metrics import GAUGES
from ingest.report import OUTCOMES, Line, SourceReport
from ingest.sources import KINDS, classes_of, sources_of

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def modules_in_tree() -> set[str]:
    """The paths in the block that begins with a folder, from names indented below their folder."""
    (tree,) = [block for block in blocks("text") if block.startswith("assistant/")]
    paths, folders = set(), []
    for line in tree.splitlines():
        match = re.match(r"( *)([\w./-]+)", line)
        if not match:
            continue
        depth, name = len(match[1]) // 4, match[2]
        folders = folders[:depth]
        if name.endswith("/"):
            folders.append(name)
        else:
            paths.add("".join(folders) + name)
    return paths


def test_the_tree_is_the_tree() -> None:
    tracked = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    modules = {name for name in tracked.split() if not name.startswith("tests/") and (ROOT / name).stat().st_size}
    wanted = {name for name in modules if not name.endswith("__init__.py")}
    named = {name for name in modules_in_tree() if name.endswith(".py")}
    assert wanted - named == set(), "modules that the README's tree lacks"
    assert named - modules == set(), "modules in the README's tree that are not there"


def command_lines() -> list[str]:
    lines = [line.split("  #")[0].strip() for block in blocks("bash") for line in block.splitlines()]
    started = [line for block in blocks("ini") for line in re.findall(r"^ExecStart=/.*/(refdesk .*)$", block, re.M)]
    return [line for line in lines if line.startswith("refdesk ")] + started


@pytest.mark.parametrize("line", command_lines())
def test_commands_exist(line: str) -> None:
    for contributed in entry_points(group="refdesk.commands"):
        commands.add_typer(contributed.load())
    words = shlex.split(line)[1:]
    command = get_command(commands)
    context = typer.Context(command)
    while hasattr(command, "commands"):
        assert words[0] in command.commands, f"no command {words[0]!r} in: {line}"
        command = command.commands[words.pop(0)]
    known = {option for parameter in command.get_params(context) for option in parameter.opts}
    assert {word for word in words if re.match(r"--?[a-z]", word)} <= known


def chapter(title: str) -> str:
    """What stands below a heading `### title`, up to the next one."""
    (found,) = re.findall(rf"^### {title}\n(.*?)^##", README, re.MULTILINE | re.DOTALL)
    return str(found)


def test_sources_in_settings_are_accepted() -> None:
    sources = [block for block in map(tomllib.loads, blocks("toml")) if "sources" in block]
    assert sources
    for block in sources:
        assert {source.name for source in sources_of(Settings(**block))} == block["sources"].keys()


def test_a_section_shows_every_option_that_kinds_share() -> None:
    (section, *_) = [block["sources"] for block in map(tomllib.loads, blocks("toml")) if "sources" in block]
    (table,) = section.values()
    assert table.keys() | {"secret_file"} == WebOptions.model_fields.keys()
    assert "`secret_file`" in chapter("Sources")
    for name, field in WebOptions.model_fields.items():
        if isinstance(field.default, float) and table[name] != field.default:
            pytest.fail(f"{name} = {table[name]} in the README, but {field.default} by default")
    assert table["full_hours"] == Connector.full_hours


def rows() -> dict[str, tuple[str, str]]:
    """Kind -> who may read, own options, as the table has it."""
    found = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \| ([^|]*) \|$", chapter("Sources"), re.MULTILINE)
    return {kind: (rules, own) for kind, rules, own in found}


def test_every_kind_of_source_is_in_the_table() -> None:
    assert rows().keys() == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_every_option_of_a_kind(kind: str) -> None:
    connector, options = classes_of(kind)
    rules, own = rows()[kind]
    assert ("**`readers`**" in rules) == (not connector.has_rules)
    shared = next(base for base in (WebOptions, ServerOptions, SourceOptions) if issubclass(options, base))
    fields = {name: field for name, field in options.model_fields.items() if name not in shared.model_fields}
    assert set(re.findall(r"`(\w+)`", own)) == fields.keys()
    needed = {name for name, field in fields.items() if field.is_required()}
    one_of = {"query", "ids"} if kind == "arxiv" else set()
    assert set(re.findall(r"\*\*`(\w+)`\*\*", own)) == needed | one_of


def test_what_sync_prints_and_measures_is_named() -> None:
    words = set(re.findall(r"\w+", chapter("Keeping up to date")))
    assert set(OUTCOMES) <= words
    assert {*Line.__dataclass_fields__, *SourceReport.__dataclass_fields__} <= words
    assert set(GAUGES) <= words


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {word for block in blocks("bash") for word in re.findall(r"^make ([\w-]+)", block, re.MULTILINE)} <= targets


def test_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]


def test_python_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "wiki.md").write_text("# The wiki\n\nThe wiki is large: it holds 12,345 pages.\n")
    monkeypatch.chdir(tmp_path)
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "12,345 pages" in capsys.readouterr().out
