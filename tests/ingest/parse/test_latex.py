r"""LaTeX: a source of many files as one, in words that pandoc reads; what it refuses as a whole is read by pieces."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse import latex_pieces, latex_source
from ingest.parse.bbl import as_bibliography
from ingest.parse.latex import columns
from ingest.parse.latex_preamble import definitions
from ingest.parse.latex_source import flatten, main_files
from ingest.parse.latex_tokens import arguments, group_end, uncommented
from ingest.parse.markup import read_latex

SETTINGS = IngestSettings()


def source(folder: Path, **files: str) -> Path:
    """Files below `folder`; `__` in a name is a slash, the last `_` a dot."""
    for name, text in files.items():
        path = folder / ".".join(name.replace("__", "/").rsplit("_", 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def markdown(body: str, preamble: str = "") -> list[str]:
    """The blocks of Markdown that a document becomes, with single blanks."""
    text = rf"\documentclass{{article}}{preamble}\begin{{document}}{body}\end{{document}}"
    read = read_latex(text.encode(), SETTINGS).parts[0]
    return [" ".join(block.split()) for block in read.strip().split("\n\n") if block]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a % b\nc", "a c"),
        ("a%\n  b", "ab"),
        ("\\alpha%\nx", "\\alpha x"),
        ("a% b\n\nc", "a\n\nc"),
        ("a\n% all of it\nb", "a\nb"),
        ("a\n  % all of it\n\nb", "a\n\nb"),
        ("50\\% of \\\\% all\nb", "50\\% of \\\\b"),
        ("\\verb|a%b| %c", "\\verb|a%b| "),
        ("\\url{a%20b}%c", "\\url{a%20b}"),
        ("\\begin{verbatim}\na % b\n\\end{verbatim}% c", "\\begin{verbatim}\na % b\n\\end{verbatim}"),
    ],
)
def test_comments(text: str, wanted: str) -> None:
    assert uncommented(text) == wanted


def test_groups_and_arguments() -> None:
    assert group_end("{a{b}\\}c}d", 0) == 9
    assert group_end("[a{]}b]c", 0) == 7
    assert group_end("{a", 0) == -1
    assert group_end("[a}", 0) == -1
    assert arguments("* [x]{y} {z}", 0, "somm") == (("*", "x", "y", "z"), 12)
    assert arguments("{\\foo}#1#2{b}", 0, "npm") == (("foo", "#1#2", "b"), 13)
    assert arguments("{a}b", 0, "mm") is None


@pytest.mark.parametrize(
    ("wanted", "count"),
    [("lcr", 3), ("|l||p{2cm}|", 2), ("*{3}{c|}l", 4), ("l@{$\\pm$}r", 2), (">{\\bf}lD{.}{.}{2}S[a=b]", 3), ("", 1)],
)
def test_columns(wanted: str, count: int) -> None:
    assert columns(wanted) == count


def test_only_what_pandoc_understands_is_left_of_a_preamble() -> None:
    preamble = r"""
\documentclass{x}\RequirePackage{y}\geometry{a=b}
\newcommand{\a}[1][x]{A#1}\def\b#1{B}\DeclareMathOperator*{\c}{c}\newenvironment{d}[1]{D#1}{}
\makeatletter\def\e@f{x}\newcommand{\g}{\h@i}\makeatother
\renewcommand{\section}[1]{\oldsection{#1}}\newcommand{\j}{\j x}
\NewDocumentCommand{\k}{O{y} m}{K#1#2}\NewDocumentCommand{\l}{s m}{L}\newcommandx{\m}[2][1=z]{M#1#2}
\newif\ifn\ntrue\let\o=\p\newcolumntype{L}[1]{>{#1}}\title[t]{T}\newtheorem{q}{Q}
\newcommand{\unclosed}{"""
    assert list(definitions(preamble)) == [
        r"\newcommand{\a}[1][x]{A#1}",
        r"\def\b#1{B}",
        r"\DeclareMathOperator*{\c}{c}",
        r"\newenvironment{d}[1]{D#1}{}",
        r"\newcommand{\k}[2][y]{K#1#2}",
        r"\newcommand{\m}[2][z]{M#1#2}",
        r"\newif\ifn",
        r"\ntrue",
        r"\let\o=\p",
        r"\title[t]{T}",
        r"\newtheorem{q}{Q}",
    ]


@pytest.mark.parametrize(
    ("body", "blocks"),
    [
        (r"\noindent {\bf Bold} \centering{x}\vspace{1cm}{y}\vskip 2ex plus", ["**Bold** x y plus"]),
        (r"{\sc Small} \hl{marked} \fbox{framed} \raisebox{1pt}[2pt]{raised}", ["Small marked framed raised"]),
        (r"a\footnote[3]{note}", ["a[^1]", "[^1]: note"]),
        (r"a\footnotetext{note} b", ["a", "note", "b"]),
        (r"\keywords{jets, muons}", ["jets, muons"]),
        (r"\begin{acronym}\acro{QCD}{quantum chromodynamics}\end{acronym}", ["QCD: quantum chromodynamics"]),
        (r"\citenum{a} and \onlinecite[p. 3]{b}", ["[@a] and [@b p. 3]"]),
        (r"\begin{multicols}{2}text\end{multicols}\begin{turn}{90}turned\end{turn}", ["text", "turned"]),
        (r"\begin{tikzpicture}\draw {x};\end{tikzpicture}after\iffalse never\fi", ["after"]),
        (
            r"\begin{figure}\subfloat[left $a$]{\includegraphics{a}}\caption[s]{Both.}\caption{Second.}\end{figure}",
            ["left $a$", "Both.", "Second."],
        ),
        (
            r"\begin{table*}[t]\resizebox{\textwidth}{!}{\begin{tabularx}{1cm}{L{2cm}|S}a & b\\\cmidrule(l){1-2} c & d"
            r"\\\end{tabularx}}\caption{Cap.}\end{table*}",
            ["| a | b | |-----|-----| | c | d |", "Cap."],
        ),
        (
            r"\begin{subequations}\begin{align}a\end{align} and \begin{equation}b\end{equation}\end{subequations}",
            ["$$\\begin{align} a \\end{align}$$", "and", "$$\\begin{equation} b \\end{equation}$$"],
        ),
        (r"\begin{IEEEeqnarray*}{rCl}a&=&b\end{IEEEeqnarray*}", ["$$\\begin{align*} a&=&b \\end{align*}$$"]),
        (r"\newcommand{\m}{\ensuremath{m_{\mu}}\xspace}\m is $2\m$", ["$m_{\\mu}$ is $2m_{\\mu}$"]),
        (r"\begin{trivlist}\item a\end{trivlist}", ["- a"]),
        (r"\verb|\noindent{x}|", ["`\\noindent{x}`"]),
    ],
)
def test_what_pandoc_alone_would_lose(body: str, blocks: list[str]) -> None:
    assert markdown(body) == blocks


@pytest.mark.parametrize("abstract", [r"\abstract{We {\em do}.}", r"\begin{abstract}We {\em do}.\end{abstract}"])
def test_an_abstract_before_the_document(abstract: str) -> None:
    assert markdown("Text.", rf"\title{{T}}{abstract}") == ["# T", "# Abstract", "We *do*.", "Text."]
    assert markdown(f"{abstract}Text.", r"\title{T}") == ["# T", "# Abstract", "We *do*.", "Text."]


def test_a_source_of_many_files(tmp_path: Path) -> None:
    folder = source(
        tmp_path,
        main_tex=r"""\documentclass{article}\usepackage{own,other}\input macros
\begin{document}
\input{parts/one} % \input{hidden}
\include{parts/two}
\import{sub/}{three}
\subfile{sub/four}
\input "parts/five.tex"
\printbibliography[title=X]
\end{document}
\input{after}""",
        macros_tex=r"\newcommand{\x}{X}\endinput \newcommand{\y}{Y}",
        own_sty=r"\ProvidesPackage{own}\newcommand{\GeV}{GeV}\def\@z{}\renewcommand{\section}{x}\title{No}",
        parts__one_tex=r"one \input{parts/nested} \verb|\input{no}|",
        parts__nested_tex="nested",
        parts__two_tex="two",
        sub__three_tex=r"three \input{near}",
        sub__near_tex="near",
        sub__four_tex=r"\documentclass[../main]{subfiles}\begin{document}four\end{document}",
        parts__five_tex="five",
        main_bbl=r"\begin{thebibliography}{1}\bibitem{a} Ada\end{thebibliography}",
        other_tex=r"\documentclass{article}\begin{document}Another, much longer than the main file." + "x" * 999,
    )
    flat = flatten(folder, folder / "main.tex")
    assert flat.missing == ()
    assert "\\newcommand{\\GeV}{GeV}" in flat.text
    assert "\\newcommand{\\y}" not in flat.text
    body = flat.text.partition("\\begin{document}")[2].partition("\\end{document}")[0]
    assert body.split() == [
        "one", "nested", "\\verb|\\input{no}|", "two", "three", "near", "four", "five",
        "\\begin{thebibliography}{1}\\bibitem{a}", "Ada\\end{thebibliography}",
    ]  # fmt: skip
    assert main_files(folder) == [folder / "main.tex"]


def test_nothing_outside_the_source_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret.tex").write_text("password 12345")
    folder = source(
        tmp_path / "paper",
        main_tex=r"\documentclass{a}\begin{document}\input{../secret}\input{DIR/secret.tex}\input{link}\end{document}".replace(
            "DIR", str(tmp_path)
        ),
    )
    (folder / "link.tex").symlink_to(tmp_path / "secret.tex")
    flat = flatten(folder)
    assert "12345" not in flat.text
    assert flat.missing == ("../secret", f"{tmp_path}/secret.tex", "link")


def test_files_that_read_one_another_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = source(
        tmp_path,
        main_tex=r"\documentclass{a}\begin{document}\input{b}\end{document}",
        b_tex=r"b\input{c}\input{main}",
        c_tex=r"c\input{b}",
    )
    assert flatten(folder).text.split() == ["\\documentclass{a}\\begin{document}bc", "\\end{document}"]
    doubling = {f"x{n}_tex": rf"\input{{x{n + 1}}}" * 2 for n in range(25)}
    folder = source(
        tmp_path / "bomb", **doubling, x25_tex="y" * 1000, main_tex=r"\documentclass{a}\begin{document}\input{x0}"
    )
    monkeypatch.setattr(latex_source, "_MOST_CHARACTERS", 200_000)
    with pytest.raises(ParseError, match="too_large"):
        flatten(folder)


def test_the_main_file(tmp_path: Path) -> None:
    paper = r"\documentclass{a}\begin{document}%s\end{document}"
    folder = source(
        tmp_path / "a",
        figure_tex=paper % ("long " * 99),
        paper_tex=paper % r"\include{figure}",
        old_tex=r"%\documentclass{a}\begin{document}",
    )
    assert main_files(folder) == [folder / "paper.tex"]
    named = [
        {"filename": "b.tex", "usage": "toplevel"},
        {"filename": "c.tex"},
        {"filename": "a.tex", "usage": "ignore"},
    ]
    readme = json.dumps({"sources": named})
    folder = source(
        tmp_path / "b", a_tex=paper % "long text", b_tex=paper % "B", c_tex=paper % "C", **{"00README_json": readme}
    )
    assert [path.name for path in main_files(folder)] == ["b.tex", "c.tex"]
    assert flatten(folder).text.split() == [*(paper % "B").partition("\\end")[0].split(), "C", "\\end{document}"]
    folder = source(
        tmp_path / "c", a_tex=paper % "long text", b_tex=paper % "B", **{"00README_XXX": "b.tex toplevelfile\n"}
    )
    assert [path.name for path in main_files(folder)] == ["b.tex"]
    folder = source(tmp_path / "d", a_tex=paper % "A", **{"00README_json": "[]"})
    assert [path.name for path in main_files(folder)] == ["a.tex"]
    with pytest.raises(ParseError, match="unsupported"):
        flatten(source(tmp_path / "e", a_tex=r"\input amstex \bye"))


def test_a_bibliography_that_biber_made() -> None:
    text = r"""
\datalist[entry]{nty/global//global/global}
  \entry{foo:2020}{article}{}
    \name{author}{2}{}{%
      {{hash=1}{%
         family={Foo},
         familyi={F\bibinitperiod},
         given={Ada\bibnamedelima B.},
         giveni={A\bibinitperiod}}}%
      {{hash=2}{%
         family={Bar},
         given={Bo}}}%
    }
    \field{journaltitle}{JHEP}
    \field{title}{On {\em big} $p_T$}
    \field{year}{2020}
    \field{volume}{01}
    \field{pages}{1\bibrangedash 9}
    \verb{doi}
    \verb 10.1/a_b
    \endverb
  \endentry
\enddatalist
"""
    assert as_bibliography(text) == (
        "\\begin{thebibliography}{}\n\\bibitem{foo:2020} Ada~B. Foo, Bo Bar, "
        "\\emph{On {\\em big} $p_T$}, JHEP 01 (2020) 1--9, 10.1/a\\_b.\n\\end{thebibliography}\n"
    )


def test_a_piece_that_pandoc_refuses_keeps_words_and_formulas(monkeypatch: pytest.MonkeyPatch) -> None:
    fine = "\n\n".join(f"Paragraph {n} with $x_{n}$." for n in range(60))
    body = rf"""\section{{One}} {fine}

\begin{{itemize}} \item open {{\bf words $y$ \begin{{equation}} E = mc^2 \end{{equation}}

\section{{Two}} \foo {{a}} {fine} \m"""
    found = markdown(body, r"\title{T}\newcommand{\m}{macro}")
    assert found[:3] == ["# T", "# One", "Paragraph 0 with $x_0$."]
    assert "open words $y$" in found
    assert "$$\\begin{equation} E = mc^2 \\end{equation}$$" in found
    assert found.index("# Two") > found.index("open words $y$")
    assert [b for b in found if "59" in b] == ["Paragraph 59 with $x_59$.", "Paragraph 59 with $x_59$. macro"]
    with pytest.raises(ParseError, match="corrupt: pandoc could not read it as latex"):
        markdown(r"\begin{itemize} \item open {\bf words")
    monkeypatch.setattr(latex_pieces, "_MOST_LOST", 0.001)
    with pytest.raises(ParseError, match="corrupt"):
        markdown(body, r"\title{T}")


@pytest.mark.parametrize(
    "piece", ["\\begin{verbatim}", "{", "\\fbox{", "\\verb|", "%", "\\begin{tikzpicture}", "\\newcommand{"]
)
def test_hostile_text_takes_no_longer_than_its_length(piece: str) -> None:
    started = time.process_time()
    uncommented(piece * 20_000)
    list(latex_pieces.blocks(piece * 20_000))
    assert time.process_time() - started < 2
