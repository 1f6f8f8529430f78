r"""LaTeX as pandoc reads it without losing anything.

Pandoc expands most macros and keeps mathematics, but it gives up over the inner workings of a preamble, drops what
stands in a `\resizebox`, knows one caption a float and few kinds of column, and shows how bibliographies are made.
"""

from __future__ import annotations

import re

from ingest.parse.latex_preamble import abstracts, definitions
from ingest.parse.latex_tokens import VERBATIM, arguments, group_end, uncommented


def _each(shape: str, names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), shape)


_COMMAND = re.compile(
    rf"{VERBATIM}|\\(?:(?P<edge>begin|end)\s*\{{(?P<environment>[A-Za-z]+\*?)\}}|(?P<name>[A-Za-z@]+\*?)|.)", re.S
)
_LEADING = {
    **_each("", "fbox hl revised MakeUppercase MakeLowercase textls uwave underbar say leftline rightline"),
    **_each("", "bibnamefont bibfnamefont citenamefont natexlab doi eprint rlap llap smash"),
    **_each("m", "bibinfo bibfield href@noop Eprint adjustbox"),
    **_each("o", "added makecell thead shortstack"),
    **_each("oo", "makebox framebox"),
    "raisebox": "moo",
    "resizebox": "mm",
    "rotatebox": "om",
    "scalebox": "mo",
}
"""Commands that pandoc does not know, whose last argument is text; their arguments before it."""
_PARAGRAPHS = {
    **_each("o", "caption subcaption footnotetext"),
    **_each("O", "subfloat subfigure subtable"),
    **_each("", "keywords pacs"),
    "acro": "Mo",
    "captionof": "mo",
    "tablenotetext": "m",
}
"""Those whose last argument becomes a paragraph, after the first where that is a capital letter."""
_FOOTNOTES = {"footnote": "o", "endnote": "o", "sidenote": "o", "marginpar": "o", "marginnote": "o"}
_NOTHING = {
    **_each(
        "",
        "noindent indent bigskip medskip smallskip newpage clearpage cleardoublepage centering sloppy leavevmode "
        "unskip ignorespaces null sf sc scshape boldmath unboldmath phantomsection frontmatter mainmatter backmatter "
        "appendix singlespacing doublespacing onehalfspacing relax linenumbers nolinenumbers balance flushright "
        "FloatBarrier onecolumn twocolumn BibitemOpen bibitemStop bibitemNoStop EOS newblock allowbreak",
    ),
    **_each("o", "pagebreak nopagebreak linebreak nolinebreak addlinespace"),
    **_each("m", "cline hhline deleted BibitemShut thispagestyle pagestyle pagenumbering graphicspath"),
    **_each("sm", "vspace hspace"),
    "color": "om",
    "includegraphics": "oom",
    "newcolumntype": "mom",
    "setlength": "mm",
    "specialrule": "mmm",
}
"""What sets type or draws. Pandoc takes a group that follows for the argument of a command that it does not know."""
_MEASURED = {
    "cmidrule": re.compile(r"(?:\([^()]*\)|\[[^\]]*\])*\{[^{}]*\}"),
    **dict.fromkeys(("vskip", "hskip"), re.compile(r"\s*-?(?:\d*\.?\d*\s*\\[a-z]+|\d*\.?\d+\s*[a-z]{2})")),
}
_CITATIONS = {"onlinecite", "citenum", "fullcite", "footfullcite"}
_FLOATS = {
    **dict.fromkeys(("figure", "table", "sidewaysfigure", "sidewaystable"), "o"),
    **dict.fromkeys(("subfigure", "subtable"), "om"),
    **dict.fromkeys(("wrapfigure", "wraptable"), "omom"),
    **dict.fromkeys(("SCfigure", "SCtable"), "oo"),
}
_LAYOUT = {
    **_each("m", "spacing adjustbox rotate turn"),
    **_each("o", "tcolorbox mdframed"),
    "subequations": "",
    "boxedminipage": "om",
    "multicols": "mo",
}
_TABLES = {"tabular": "o", "longtable": "o", "tabularx": "mo", "tabulary": "mo", "tabu": "", "xltabular": "om"}
_RENAMED = {
    "IEEEeqnarray": ("om", "align"),
    "IEEEeqnarray*": ("om", "align*"),
    "list": ("mm", "itemize"),
    "trivlist": ("", "itemize"),
    **dict.fromkeys(("compactitem", "inparaitem"), ("o", "itemize")),
    **dict.fromkeys(("compactenum", "inparaenum"), ("o", "enumerate")),
}
_DRAWN = re.compile(
    r"\\begin\{(fmffile|fmfgraph\*?|feynman|picture|pspicture\*?|axopicture|tikzpicture|pgfpicture|asy|CCSXML|comment"
    r"|filecontents\*?)\}.*?(?:\\end\{\1\}|\Z)|\\iffalse\b(?:(?!\\if|\\fi\b).)*\\fi\b",
    re.S,
)
_SCAFFOLD = re.compile(r"\\begin\{thebibliography\}.*?(?=\\bibitem|\\end\{thebibliography\}|\Z)", re.S)
_BEGIN, _END = "\\begin{document}", "\\end{document}"


def for_pandoc(text: str) -> str:
    """`text`, a whole document or a part of one, in those words of LaTeX that pandoc reads without loss."""
    text = _DRAWN.sub("", uncommented(text))
    text = _SCAFFOLD.sub(lambda found: "\\begin{thebibliography}{}\n", text)
    before, begin, body = text.partition(_BEGIN)
    if not begin:
        return _rewritten(before)
    head, early = abstracts(before)
    body, late = abstracts(body.partition(_END)[0])
    documentclass = re.search(r"\\document(?:class|style)\s*(?:\[[^\]]*\])?\s*\{[^}]*\}", head)
    kept = [documentclass[0]] if documentclass else []
    kept += [*definitions(head), begin, *early, *late, body, _END]
    return _rewritten("\n".join(kept))


def _rewritten(text: str) -> str:
    """`text` with the commands and environments of the lists above taken away or replaced, wherever they stand."""
    edits: list[tuple[int, int, str]] = []
    done = 0
    for command in _COMMAND.finditer(text):
        if command.start() < done:
            continue
        edge, environment, name = command["edge"], command["environment"], command["name"]
        if edge:
            found = _environment(text, edge, environment, command)
        elif name:
            found = _command(text, name.rstrip("*"), command)
        else:
            continue
        edits += found
        done = max([done, *(end for start, end, _ in found if start == command.start())])
    pieces, last = [], 0
    for start, end, new in sorted(edits):
        pieces += [text[last:start], new]
        last = max(last, end)
    return "".join([*pieces, text[last:]])


def _command(text: str, name: str, command: re.Match[str]) -> list[tuple[int, int, str]]:
    """What to replace so that a command is what it says: spans of `text`, each with what comes in its place."""
    start, at = command.span()
    if name in _CITATIONS:
        return [(start, at, "\\cite")]
    if name in _MEASURED:
        size = _MEASURED[name].match(text, at)
        return [(start, size.end(), " ")] if size else []
    if name in _NOTHING:
        found = arguments(text, at, _NOTHING[name])
        return [(start, found[1], " ")] if found else []
    shape = _LEADING.get(name, _PARAGRAPHS.get(name, _FOOTNOTES.get(name)))
    if shape is None:
        return []
    found = arguments(text, at, shape.lower())
    last = arguments(text, found[1], "m") if found else None
    if not found or not last:
        return []
    opening = last[1] - len(last[0][0]) - 2
    if name in _FOOTNOTES:
        return [(start, opening, "\\footnote")]
    if name in _LEADING:
        return [(start, opening, "")]
    first = f"\n\n{found[0][0]}{': ' if shape[0] == 'M' else ''}" if shape[:1].isupper() else ""
    before = first if shape[:1] == "M" else f"{first}\n\n"
    return [(start, opening, before), (last[1], last[1], "\n\n")]


def _environment(text: str, edge: str, name: str, command: re.Match[str]) -> list[tuple[int, int, str]]:
    start, at = command.span()
    plain = name.rstrip("*")
    if plain in _FLOATS or plain in _LAYOUT:
        found = arguments(text, at, _FLOATS.get(plain, _LAYOUT.get(plain, ""))) if edge == "begin" else None
        return [(start, found[1] if found else at, "\n\n")]
    if name in _RENAMED:
        shape, known = _RENAMED[name]
        found = arguments(text, at, shape) if edge == "begin" else None
        return [(start, found[1] if found else at, f"\\{edge}{{{known}}}")]
    if plain not in _TABLES:
        return []
    known = plain if plain == "longtable" else "tabular"
    if edge == "end":
        return [(start, at, f"\\end{{{known}}}")]
    found = arguments(text, at, ("m" if name == "tabular*" else "") + _TABLES[plain] + "m")
    return [(start, found[1], f"\\begin{{{known}}}{{{'l' * columns(found[0][-1])}}}")] if found else []


def columns(wanted: str) -> int:
    """How many columns the preamble of a table asks for: `l|p{2cm}*{3}{c}` has five."""
    count = at = 0
    while at < len(wanted):
        letter, at = wanted[at], at + 1
        if letter == "*" and (times := arguments(wanted, at, "mm")):
            number = times[0][0].strip()
            count, at = (
                count + (int(number) if number.isdecimal() and len(number) < 3 else 1) * columns(times[0][1]),
                times[1],
            )
        elif letter in "@!><" and wanted[at : at + 1] == "{":
            at = max(at + 1, group_end(wanted, at))
        elif letter.isalpha():
            count += 1
            while wanted[at : at + 1] and wanted[at] in "[{" and (end := group_end(wanted, at)) > 0:
                at = end
    return max(count, 1)
