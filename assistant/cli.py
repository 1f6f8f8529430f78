"""The command `refdesk`. Each package brings its own commands (entry points `refdesk.commands` in pyproject.toml).

Exit codes of all commands: 0 done; 1 it could not be done, the message says why; 2 bad usage. `index` and `sync`
add 3: some items failed, and 4: what had vanished, or could not be read, was kept; `sync` adds 75: another run is under
way; `llm status` adds 3: not running.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli_options import AS_GROUPS, AS_JSON, KINDS, LIBRARY, MODE, SOURCES, comma_separated
from assistant.errors import RefdeskError
from assistant.library.cli import commands as library_commands
from assistant.llm.cli import llm

if TYPE_CHECKING:
    from assistant.answering import Assistant
    from assistant.types import Answer, Passage

commands = typer.Typer(
    help="The reference desk of a research collaboration.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
commands.add_typer(llm, name="llm")
commands.add_typer(library_commands)


def main() -> None:
    """Runs the command line; what Refdesk raises on purpose becomes one line on standard error and exit code 1."""
    try:
        for contributed in sorted(entry_points(group="refdesk.commands"), key=lambda point: point.name):
            commands.add_typer(contributed.load())
        commands()
    except RefdeskError as error:
        print(f"refdesk: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:  # Typer's own exit code for Ctrl-C, before it runs
        sys.exit(130)
    except BrokenPipeError:  # the reader of a pipe, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@commands.command()
def search(
    question: Annotated[str, typer.Argument(help="What to look for, in your own words.")],
    library: LIBRARY = Path("library"),
    k: Annotated[int | None, typer.Option("-k", min=1, help="How many passages; default: `search.k`.")] = None,
    sources: SOURCES = [],  # noqa: B006  (typer copies it)
    kinds: KINDS = [],  # noqa: B006
    groups: AS_GROUPS = "",
    as_json: AS_JSON = False,
) -> None:
    """Find passages. No language model takes part."""
    _require_text(question)
    found = _open(library, groups).search(question, k, sources=sources, kinds=kinds)
    if as_json:
        print(json.dumps({"passages": [_passage(passage) for passage in found]}, ensure_ascii=False, indent=2))
    else:
        _print_passages(found)


@commands.command()
def ask(
    question: Annotated[str, typer.Argument(help="A question that the library may answer.")],
    library: LIBRARY = Path("library"),
    mode: MODE = None,
    k: Annotated[int | None, typer.Option("-k", min=1, help="How many passages to read; default: `answer.k`.")] = None,
    sources: SOURCES = [],  # noqa: B006
    kinds: KINDS = [],  # noqa: B006
    groups: AS_GROUPS = "",
    as_json: AS_JSON = False,
) -> None:
    """Answer a question with checked citations, or say that the library does not hold the answer."""
    _require_text(question)
    answer = _open(library, groups).ask(question, mode=mode, k=k, sources=sources, kinds=kinds)
    if as_json:
        fields = {**asdict(answer), "passages": [_passage(passage) for passage in answer.passages]}
        print(json.dumps(fields, ensure_ascii=False, indent=2))
    else:
        print_answer(answer)


@commands.command()
def status(library: LIBRARY = Path("library"), groups: AS_GROUPS = "", as_json: AS_JSON = False) -> None:
    """Say what the library holds and what became of every file."""
    from assistant.answering import library_status
    from assistant.people import People
    from assistant.settings import load

    found = library_status(library, People(load().people).named(comma_separated(groups)))
    if as_json:
        items = [{"source": i.source, "key": i.key, "status": i.status, "reason": i.reason} for i in found.items]
        sums = {"generation": found.generation, "documents": found.documents, "chunks": found.chunks}
        print(json.dumps({**sums, "items": items}, ensure_ascii=False, indent=2))
        return
    print(f"Library {library}, generation {found.generation}: {found.documents} documents, {found.chunks} chunks.")
    for item in found.items:
        if item.status != "indexed":
            print(f"{item.status:8} {item.reason:12} {item.source}/{item.key}")


def _open(library: Path, groups: str) -> Assistant:
    from assistant.answering import Assistant
    from assistant.people import People
    from assistant.settings import load

    settings = load()
    held = People(settings.people).named(comma_separated(groups))
    return Assistant.open(library, settings).as_user(held)


def _require_text(question: str) -> None:
    if not question.strip():
        raise typer.BadParameter("it is empty", param_hint="QUESTION")
    try:
        question.encode()
    except UnicodeEncodeError as error:  # arguments are bytes, and these are no UTF-8
        raise typer.BadParameter("it is no text; give it in UTF-8", param_hint="QUESTION") from error


def _passage(passage: Passage) -> dict[str, Any]:
    """The fields that programs are promised; scores are rounded to six digits."""
    fields = asdict(passage)
    names = ("rank", "score", "title", "source", "key", "url", "page", "section", "start", "end", "text", "status")
    return {name: round(fields[name], 6) if name == "score" else fields[name] for name in names}


def _print_passages(passages: list[Passage]) -> None:
    from rich.console import Console

    console = Console()
    if not passages:
        console.print("Nothing found.")
    for passage in passages:
        console.print(f"[bold]{passage.rank}. {_plain(_place(passage))}[/bold]")
        console.print(f"   {_plain(passage.url)}", style="dim", soft_wrap=True, highlight=False)
        console.print(_plain(passage.text[:600]), highlight=False)
        console.print()


def _plain(text: str) -> str:
    """Text of a document or model as it may reach a terminal: without control codes, and no markup to rich."""
    from rich.markup import escape

    return escape("".join(c for c in text if c in "\n\t" or unicodedata.category(c) != "Cc"))


def _place(where: Any) -> str:
    """Title, headings and page of a passage or citation."""
    parts = [where.title, *(heading for heading in where.section if heading != where.title)]
    page, status = f", page {where.page}" if where.page else "", f" ({where.status})" if where.status else ""
    return " > ".join(parts) + page + status


def print_answer(answer: Answer) -> None:
    """The answer for people: text, the quotes that it rests on, and what else happened."""
    from rich.console import Console

    console = Console()
    console.print(f"\n{_plain(answer.text)}\n", highlight=False)
    for citation in answer.citations:
        console.print(f"[bold]\\[{citation.number}][/bold] {_plain(_place(citation))}", highlight=False)
        console.print(f"    “{_plain(' '.join(citation.quote.split()))}”", highlight=False)
        console.print(f"    {_plain(citation.url)}", style="dim", soft_wrap=True, highlight=False)
    if not answer.answered and answer.passages:
        console.print("The nearest passages:", highlight=False)
        for passage in answer.passages[:3]:
            console.print(f"  {_plain(_place(passage))}  {_plain(passage.url)}", soft_wrap=True, highlight=False)
    way = {"extract": "quoted from the library", "generate": f"written by {answer.models.get('llm', 'the LLM')}"}
    how = f"{way[answer.mode]}, each sentence checked; " if answer.answered else ""
    console.print(f"\n({how}confidence {answer.confidence:.2f}, generation {answer.generation})", style="dim")
    for note in answer.notes:
        console.print(f"Note: {_plain(note)}", style="dim", highlight=False)
