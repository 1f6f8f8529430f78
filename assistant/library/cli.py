"""`refdesk verify`, `rollback`, `forget` and `migrate`: looking after a library."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from assistant.cli_options import AS_JSON, LIBRARY

commands = typer.Typer()


@commands.command()
def verify(library: LIBRARY = Path("library"), as_json: AS_JSON = False) -> None:
    """Read every byte of a library and name what is damaged. Exit code 1 if anything is."""
    from assistant.library.recovery import verify as problems_of

    problems = problems_of(library)
    if as_json:
        print(json.dumps({"problems": [asdict(problem) for problem in problems]}, ensure_ascii=False, indent=2))
    elif problems:
        for problem in problems:
            print(f"{problem.file}: {problem.what}")
        print("Restore the library from a copy, or index again into a new folder.")
    else:
        print(f"The library {library} is whole.")
    if problems:
        sys.exit(1)


@commands.command()
def rollback(library: LIBRARY = Path("library")) -> None:
    """Show the library as it was before the last change. Only the last change can be undone."""
    from assistant.library import Library

    generation = Library.open(library).rollback()
    print(f"The library {library} shows generation {generation} again. The next `refdesk index` brings it up to date.")


@commands.command()
def forget(
    source: Annotated[str, typer.Argument(help="The name of the source, as `refdesk search` shows it.")],
    library: LIBRARY = Path("library"),
) -> None:
    """Remove all that the library holds of a source, such as one that `refdesk.toml` lists no longer."""
    from assistant.embed import open_embedder
    from assistant.library import Library
    from assistant.settings import load

    opened = Library.open(library)
    with opened.writer(open_embedder(load().embedder, opened.made_with[1])) as writer:
        items = writer.forget_source(source)
        generation = writer.publish()
    print(f"{items} items of {source} were removed. Library {library}, generation {generation}.")


@commands.command()
def migrate(library: LIBRARY = Path("library")) -> None:
    """Bring a library that an older Refdesk made up to date. Its documents are not read again."""
    from assistant.embed import open_embedder
    from assistant.library.migration import migrate as bring_up_to_date
    from assistant.settings import load

    terminal = sys.stderr.isatty()

    def progress(done: int, total: int) -> None:
        if terminal:
            print(f"\r{done} of {total} documents", end="\n" if done == total else "", file=sys.stderr)

    documents = bring_up_to_date(library, open_embedder(load().embedder), progress)
    print(f"The library {library} is up to date and holds {documents} documents.")
