"""How much of real LaTeX comes through: `python tests/ingest/parse/measure_latex.py FOLDER...`

Each file that is a LaTeX document is flattened and read. Printed are what share of them pandoc read, and of their
displayed formulas, formulas within lines, captions, entries of bibliographies and words of four letters what is left.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse.decode import decode
from ingest.parse.latex_source import flatten
from ingest.parse.latex_tokens import arguments, uncommented
from ingest.parse.markup import read_latex

_DISPLAYED = re.compile(
    r"\\begin\{(equation|align|eqnarray|multline|gather|displaymath|flalign|alignat|IEEEeqnarray|dmath)\*?\}"
    r"|(?<!\\)\\\[|\$\$"
)
_SAFE = re.compile(r"\\begin\{(verbatim|lstlisting|minted|tikzpicture|comment)\}.*?\\end\{\1\}", re.S)


def documents(folders: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Folder and main file of each document."""
    for folder in folders:
        for path in sorted(folder.rglob("*.tex")):
            try:
                text = uncommented(decode(path.read_bytes()))
            except ParseError:
                continue
            whole = "\\begin{document}" in text and re.search(r"\\document(class|style)\b", text)
            if whole and not re.search(r"\\documentclass\s*(\[[^\]]*\])?\s*\{(subfiles|standalone)\}", text):
                yield path.parent, path


def counted(latex: str) -> Counter[str]:
    """What is in a flattened source."""
    body = _SAFE.sub("", latex.partition("\\begin{document}")[2])
    displayed = sum(0.5 if found[0] == "$$" else 1 for found in _DISPLAYED.finditer(body))
    inline = len(re.findall(r"(?<![\\$])\$(?!\$)", body)) / 2 + len(re.findall(r"(?<!\\)\\\(", body))
    return Counter({"displayed": int(displayed), "inline": int(inline), "entries": body.count("\\bibitem")})


def captions(latex: str) -> list[list[str]]:
    """The first plain words of each caption."""
    found = [arguments(latex, at.end(), "som") for at in re.finditer(r"\\caption(?![A-Za-z])", latex)]
    texts = [re.split(r"[\\$~{}]", given[0][2].strip())[0] for given in found if given]
    return [words for text in texts if len(words := re.findall(r"[A-Za-z]+", text)[:5]) >= 3]


def words(latex: str) -> set[str]:
    body = _SAFE.sub("", latex.partition("\\begin{document}")[2])
    body = re.sub(
        r"\$[^$]*\$|\\(?:label|ref|cite\w*|eqref|input|includegraphics|begin|end)\*?(\[[^\]]*\])?\{[^}]*\}", " ", body
    )
    return {word.lower() for word in re.findall(r"(?<![\\@A-Za-z])[A-Za-z]{4,}", body)}


def main(folders: list[Path]) -> None:
    asked: Counter[str] = Counter()
    kept: Counter[str] = Counter()
    failed: list[str] = []
    number = missing = 0
    for folder, path in documents(folders):
        number += 1
        try:
            flat = flatten(folder, path)
            missing += bool(flat.missing)
            text = read_latex(flat.text.encode(), IngestSettings()).parts[0]
        except ParseError as error:
            failed.append(f"{path}: {error}")
            sys.stdout.write(f"FAILED   {path}: {str(error)[:300]}\n")
            continue
        want, flat_text = counted(flat.text), " ".join(re.findall(r"[A-Za-z]+", text))
        have = Counter(
            {
                "displayed": len(re.findall(r"\$\$", text)) // 2,
                "inline": int(len(re.findall(r"(?<![\\$])\$(?!\$)", text)) / 2),
            }
        )
        have["entries"] = len(re.findall(r"(?m)^\S+: ", text.rpartition("# References")[2])) if want["entries"] else 0
        want["captions"] = len(captions(flat.text))
        have["captions"] = sum(" ".join(start) in flat_text for start in captions(flat.text))
        wanted_words, found_words = words(flat.text), set(flat_text.lower().split())
        want["words"], have["words"] = len(wanted_words), len(wanted_words & found_words)
        asked += want
        kept += Counter({name: min(have[name], want[name]) for name in want})
        shares = "  ".join(
            f"{name} {have[name]}/{want[name]}" for name in ("displayed", "inline", "captions", "entries", "words")
        )
        sys.stdout.write(f"{'missing ' if flat.missing else 'ok      '} {path}: {shares} {' '.join(flat.missing)}\n")
    sys.stdout.write(f"\n{number} documents, {number - len(failed)} read, {missing} with files missing\n")
    for name, total in asked.items():
        sys.stdout.write(f"{name:10} {kept[name]:7} of {total:7}  {kept[name] / total:.3f}\n")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
