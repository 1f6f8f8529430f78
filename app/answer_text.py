"""An answer's text as Markdown that shows formulas and links its markers, and can do nothing else.

Text from documents and from a language model must not load images, hide links or colour itself: every sign that
Markdown or Streamlit would act on is escaped, but for formulas between `$` signs.
"""

from __future__ import annotations

import re

from app.evidence import href_of
from assistant.types import Answer

_MATH = re.compile(r"(?<![\\$])\$(?=[^\s$])[^$\n]*(?<=[^\s\\])\$(?![\d$])|\$\$[^$]+\$\$")
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!$^])|:(?=[A-Za-z\[/])|(?<=\w)(?=://|@)")
_BLOCK_START = re.compile(r"^\s*(?:(?=[-+=])|(\d+)(?=[.)]\s))", re.MULTILINE)


def answer_markdown(answer: Answer) -> str:
    """Sentence by sentence, each with the marker of its citation as a link; as it stands where nothing was cited."""
    if not answer.citations:
        return plain_markdown(answer.text)
    return "\n\n".join(
        f"{plain_markdown(one.sentence)} [\\[{one.number}\\]]({href_of(one)})" for one in answer.citations
    )


def plain_markdown(text: str) -> str:
    """Markdown that reads as `text` does, formulas typeset.

    >>> plain_markdown("![x](http://y) costs $5 or $x^2$")
    '\\\\!\\\\[x\\\\](http\\u200b://y) costs \\\\$5 or $x^2$'
    """
    parts, at = [], 0
    for formula in _MATH.finditer(text):
        parts += [_escaped(text[at : formula.start()]), formula[0]]
        at = formula.end()
    return "".join([*parts, _escaped(text[at:])])


def _escaped(text: str) -> str:
    # A zero-width space keeps addresses from becoming links.
    signs = _SPECIAL.sub(lambda found: f"\\{found[0]}" if found[0] else "\u200b", text)
    return _BLOCK_START.sub(lambda found: f"{found[0]}\\", signs)
