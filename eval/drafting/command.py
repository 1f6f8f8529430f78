"""`refdesk eval make-questions`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from assistant.cli_options import AS_GROUPS, AS_JSON, comma_separated
from assistant.errors import LLMUnavailable

if TYPE_CHECKING:
    from eval.drafting.draft import Dropped
    from eval.drafting.make import Made

_EXAMPLES = 3


def make_questions(
    library: Annotated[
        Path | None, typer.Argument(help="The folder of the library to ask about.", show_default=False)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The file to write; it must not exist.", show_default=False)] = None,
    count: Annotated[int, typer.Option(min=4, help="How many drafts.")] = 60,
    seed: Annotated[int, typer.Option(help="Another seed draws other documents and drafts.")] = 0,
    llm: Annotated[
        bool, typer.Option("--llm", help="Let the language model (settings `llm`) write half of the drafts.")
    ] = False,
    groups: AS_GROUPS = "",
    accept: Annotated[
        Path | None,
        typer.Option(help="A file of drafts that was reviewed: write its questions.", exists=True, show_default=False),
    ] = None,
    as_json: AS_JSON = False,
) -> None:
    """Draft questions from a library, for a person to review; or, with --accept, make a question file of the reviewed.

    The drafts quote what the caller may read, so their file says for which groups it was made.
    """
    if (library is None) == (accept is None) or out is None:
        raise typer.BadParameter("give LIBRARY and --out DRAFTS, or --accept DRAFTS and --out QUESTIONS")
    if accept:
        _accept(accept, out, as_json)
    else:
        assert library
        _draft(library, out, count, seed, llm, groups, as_json)


def _accept(file: Path, out: Path, as_json: bool) -> None:
    from eval.drafting.review import accept
    from eval.runs.show import print_json, say

    try:
        kept, dropped = accept(file, out)
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error), param_hint="--accept") from error
    if as_json:
        print_json({"kept": kept, "dropped": dropped, "file": str(out)})
    else:
        say(f"{kept} questions written to {out}; {dropped} drafts were dropped in the review.")


def _draft(library: Path, out: Path, count: int, seed: int, llm: bool, groups: str, as_json: bool) -> None:
    from assistant.embed import open_embedder
    from assistant.library import Library
    from assistant.people import People
    from assistant.progress import shown_progress
    from assistant.settings import load
    from eval.drafting.free import Writer
    from eval.drafting.make import Drafting

    if out.exists():
        raise typer.BadParameter(f"{out} exists already, and may hold a review. Name another file.", param_hint="--out")
    settings = load()
    held = People(settings.people).named(comma_separated(groups))
    opened = Library.open(library, settings.search.device)
    embedder = open_embedder(settings.embedder, opened.made_with[1])
    opened.require(embedder)
    writer = Writer(settings.llm) if llm else None
    about: dict[str, Any] = {"library": library.resolve().name, "seed": seed, "groups": sorted(held)}
    with opened.view(held) as view, shown_progress() as progress:
        about |= {"generation": view.generation} | ({"llm": writer.model} if writer else {})
        drafting = Drafting(view, embedder, settings.search, seed, progress)
        try:
            drafting.without_llm(count - count // 2 if llm else count)
            if writer:
                drafting.with_llm(count // 2, writer)
        except (LLMUnavailable, KeyboardInterrupt) as error:
            raise type(error)(f"{error} {_keep(drafting.made, out, about)}".strip()) from error
    _keep(drafting.made, out, about)
    _report(drafting.made, out, count, as_json)


def _keep(made: Made, out: Path, about: dict[str, Any]) -> str:
    """Writes what was drafted, and says so for whom the drafting ends early."""
    from eval.drafting.review import write_review

    if not made.kept:
        return "No draft was made before."
    write_review(out, made.kept, about)
    return f"The {len(made.kept)} drafts made before are kept in {out}."


def _report(made: Made, out: Path, wanted: int, as_json: bool) -> None:
    from eval.runs.show import print_json, say

    examples = _by_filter(made.dropped)
    if as_json:
        counts: dict[str, Any] = {
            "documents": made.documents,
            "drafted": dict(made.drafted),
            "kept": dict(Counter(draft.kind for draft in made.kept)),
            "unanswerable": sum(not draft.answerable for draft in made.kept),
            "found_first": sum(draft.rank == 1 for draft in made.kept),
            "not_found": sum(draft.answerable and draft.rank is None for draft in made.kept),
            "dropped": {name: [asdict(one) for one in dropped] for name, dropped in examples.items()},
            "file": str(out) if made.kept else None,
        }
        print_json(counts)
        return
    say(_table(made))
    for name, dropped in examples.items():
        say(f"\nDropped for {name}: {len(dropped)}, such as")
        for one in dropped[:_EXAMPLES]:
            say(f"  {' '.join(one.question.split())[:160]}\n      ({one.document}: {one.reason[:160]})")
    short = f"; {wanted} were wanted, but the library gave no more" if len(made.kept) < wanted else ""
    if made.kept:
        say(f"\n{len(made.kept)} drafts written to {out}{short}. Set `review` in each, then run --accept.")
    else:
        say("\nNo draft passed the filters, so nothing was written.")


def _by_filter(dropped: Sequence[Dropped]) -> dict[str, list[Dropped]]:
    found: dict[str, list[Dropped]] = {}
    for one in dropped:
        found.setdefault(one.filter, []).append(one)
    return found


def _table(made: Made) -> str:
    """Per kind: drafts looked at, kept, found first by our own search, not found by it."""
    lines = [f"{'kind':14}{'drafted':>8}{'kept':>6}{'rank 1':>8}{'not found':>11}"]
    for kind in made.drafted:
        kept = [draft for draft in made.kept if draft.kind == kind]
        ranks = [draft.rank for draft in kept if draft.answerable]
        lines.append(f"{kind:14}{made.drafted[kind]:8}{len(kept):6}{ranks.count(1):8}{ranks.count(None):11}")
    unanswerable = sum(not draft.answerable for draft in made.kept)
    return "\n".join([*lines, f"{unanswerable} of those kept are unanswerable."])
