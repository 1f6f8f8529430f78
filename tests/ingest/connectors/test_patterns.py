"""Patterns on keys mean what the same lines of a `.gitignore` mean."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.connectors.patterns import Patterns

KEYS = ("a.md", "b.txt", "docs/a.md", "docs/deep/er/final.pdf", "docs/private/a.md", "x/docs/c.md", "A.MD", "ü 😀.md")


@pytest.mark.parametrize(
    ("include", "exclude", "wanted"),
    [
        ((), (), KEYS),
        (("*.md",), (), ("a.md", "docs/a.md", "docs/private/a.md", "x/docs/c.md", "ü 😀.md")),
        (("/docs/",), (), ("docs/a.md", "docs/deep/er/final.pdf", "docs/private/a.md")),
        (("docs/**/final.*",), (), ("docs/deep/er/final.pdf",)),
        (("*.md",), ("private/",), ("a.md", "docs/a.md", "x/docs/c.md", "ü 😀.md")),
        ((), ("*", "!*.txt"), ("b.txt",)),
        (("*.[mM][dD]", "!docs/**"), (), ("a.md", "x/docs/c.md", "A.MD", "ü 😀.md")),
        (("nothing",), (), ()),
    ],
)
def test_what_is_wanted(include: tuple[str, ...], exclude: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    patterns = Patterns(include, exclude)
    assert tuple(key for key in KEYS if patterns.match(key)) == wanted


@pytest.mark.parametrize("pattern", ["!", "[z-a]"])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="pattern 2 is none") as raised:
        Patterns(include=["*.md", pattern])
    assert pattern not in str(raised.value)


_NAMES = st.text("ab.", min_size=1, max_size=3).filter(lambda name: name.strip("."))
_PATTERNS = st.lists(st.sampled_from(["*", "**", "a", "b*", "?b", "[ab].", "*.b"]), min_size=1, max_size=3)


@settings(max_examples=50)
@given(st.lists(st.lists(_NAMES, min_size=1, max_size=3).map("/".join), min_size=1, max_size=8), _PATTERNS)
def test_they_mean_what_git_means(tmp_path_factory: pytest.TempPathFactory, keys: list[str], parts: list[str]) -> None:
    repository = _repository(tmp_path_factory)
    (repository / ".git/info/exclude").write_text("/".join(parts) + "\n")
    asked = subprocess.run(
        ["git", "check-ignore", "--stdin", "--no-index"],
        cwd=repository, input="\n".join(keys), capture_output=True, text=True, check=False,
    )  # fmt: skip
    patterns = Patterns(["/".join(parts)])
    assert {key for key in keys if patterns.match(key)} == set(asked.stdout.split())


def _repository(factory: pytest.TempPathFactory) -> Path:
    repository = factory.getbasetemp() / "ignoring"
    if not repository.exists():
        subprocess.run(["git", "init", "-q", repository], check=True)
    return repository
