"""Text formats: what is in the text, and what is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from assistant.errors import ParseError
from assistant.settings import IngestSettings
from ingest.parse import Parsed, parse

Reader = Callable[[str, str | bytes], Parsed]


@pytest.fixture
def parsed(tmp_path: Path) -> Reader:
    def write_and_parse(name: str, content: str | bytes) -> Parsed:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return parse(path, IngestSettings())

    return write_and_parse


def reason_of(parsed: Reader, name: str, content: str | bytes) -> str:
    with pytest.raises(ParseError) as caught:
        parsed(name, content)
    return caught.value.reason


def test_markdown_stays_as_it_is(parsed: Reader) -> None:
    front = "---\ntitle: 'Beam loss'\ndate: 2024\n---\n"
    text = front + "Intro $a_1$ <!-- gone -->here\n\n```html\n<!-- kept -->\n```\n\n| a | b |\n|--|--|\n"
    assert parsed("x.md", text) == Parsed(
        "Beam loss", "markdown", "Intro $a_1$ here\n\n```html\n<!-- kept -->\n```\n\n| a | b |\n|--|--|"
    )
    assert parsed("y.md", "text\n\n```\n# no heading\n```\n\n# **Real** one #\n").title == "Real** one"
    assert parsed("stem.md", "para\n\n## Only a part\n").title == "stem"


def test_text_is_decoded_and_normalised(parsed: Reader) -> None:
    assert parsed("a.txt", "Cafe\u0301 au lait\r\ncosts 10 \u20ac\x00\x07".encode()).text == "Café au lait\ncosts 10 €"
    assert parsed("b.txt", "Zürich – 10 €".encode("cp1252")).text == "Zürich – 10 €"
    assert parsed("c.txt", "naïve".encode("utf-16")).text == "naïve"
    assert parsed("d.txt", b"plain").kind == "text"
    assert reason_of(parsed, "e.txt", b"\x7fELF\x00\x00\x01") == "corrupt"
    assert reason_of(parsed, "f.txt", b" \n\t \r\n") == "empty"


RST = """\
Magnets
=======

See :doc:`the cooling page </cooling>` and :math:`B_0 = 8.33`.

.. math::

   F = q v B

.. include:: {secret}

.. raw:: html
   :file: {secret}

.. csv-table:: Fields
   :header: "Name", "Tesla"

   "MB", "8.33"
   "MQ", "a | b"
"""


def test_rst(parsed: Reader, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("password 12345")
    found = parsed("x.rst", RST.format(secret=secret))
    assert (found.title, found.kind) == ("Magnets", "rst")
    assert "12345" not in found.text
    lines = [line.replace(" ", "") for line in found.text.splitlines() if line]
    assert lines == [
        "#Magnets",
        "Seethecoolingpageand$B_0=8.33$.",
        "$$F=qvB$$",
        "Fields",
        "|Name|Tesla|",
        "|------|--------|",
        "|MB|8.33|",
        "|MQ|a\\|b|",
    ]


LATEX = r"""
\documentclass{article}\title{On Beams}\author{Ada B. \and C. D.}
\newcommand{\lum}{\mathcal{L}}
\begin{document}\maketitle\begin{abstract}We show it.\end{abstract}
\section{Intro}The luminosity $\lum = 2 \cdot 10^{34}$ was reached~\cite{wu20}, 5--6 times \$3.
\begin{equation}\label{eq:1} a_1 = \frac{b}{2} \end{equation}
so it is.
\begin{table}\caption{Beams}\begin{tabular}{lr}Name & GeV \\\hline LHC & 7000 \\ SPS & 450 \\\end{tabular}\end{table}
\input{SECRET}
\begin{thebibliography}{99}\bibitem{wu20} A. Wu, Title.
\bibitem[X(1)]{x} B. X, Other.\end{thebibliography}\end{document}
"""


def test_latex(parsed: Reader, tmp_path: Path) -> None:
    (tmp_path / "secret.tex").write_text("password 12345")
    found = parsed("x.tex", LATEX.replace("SECRET", str(tmp_path / "secret.tex")))
    assert (found.title, found.kind) == ("On Beams", "latex")
    blocks = found.text.split("\n\n")
    assert blocks[:4] == ["# On Beams", "Ada B., C. D.", "# Abstract", "We show it."]
    assert "$\\mathcal{L}= 2 \\cdot 10^{34}$ was reached" in blocks[5]
    assert "5–6 times \\$3" in blocks[5]
    assert blocks[6].startswith("$$")
    assert "a_1 = \\frac{b}{2}" in blocks[6]
    assert blocks[7] == "so it is."
    assert blocks[8] == "Beams"
    assert [row.replace(" ", "") for row in blocks[9].splitlines()] == [
        "|Name|GeV|",
        "|------|------|",
        "|LHC|7000|",
        "|SPS|450|",
    ]
    assert blocks[10:] == ["# References", "wu20: A. Wu, Title.", "x: B. X, Other."]
    assert "12345" not in found.text


def test_latex_that_pandoc_cannot_read(parsed: Reader) -> None:
    with pytest.raises(ParseError, match=r"corrupt: pandoc could not read it as latex: .*end of input"):
        parsed("x.tex", r"\begin{document}\begin{itemize}\item a")


def test_jats_keeps_abstract_body_and_references(parsed: Reader) -> None:
    found = parsed(
        "x.xml",
        """<?xml version="1.0"?><article><front><article-meta><title-group><article-title>On <italic>Mice</italic>
        </article-title></title-group><abstract><p>In short.</p></abstract></article-meta></front>
        <body><sec><title>Methods</title><p>See <xref ref-type="bibr" rid="r1">1</xref>.</p></sec></body>
        <back><ref-list><title>References</title>
        <ref id="r1"><element-citation><person-group><name><surname>Wu</surname><given-names>A</given-names></name>
        </person-group><year>2020</year><article-title>Title</article-title><source>Nature</source><volume>3</volume>
        <fpage>7</fpage><pub-id pub-id-type="doi">10.1/x</pub-id></element-citation></ref>
        <ref id="r2"><mixed-citation>Doe J. A book. Wiley; 1999.</mixed-citation></ref></ref-list></back></article>""",
    )
    assert (found.title, found.kind) == ("On *Mice", "jats")
    assert "# Abstract\n\nIn short.\n\n" in found.text
    assert found.text.endswith(
        "# References\n\n1.  Wu A (2020). Title. Nature 3:7. doi:10.1/x\n\n2.  Doe J. A book. Wiley; 1999."
    )


def test_xml_is_told_apart_by_its_content(parsed: Reader) -> None:
    assert reason_of(parsed, "a.xml", "<TEI xmlns='http://www.tei-c.org/ns/1.0'><text/></TEI>") == "unsupported"
    assert reason_of(parsed, "b.nxml", "<article><body>") == "corrupt"
    assert parsed("c.xml", "<p>Hi <ac:link><ri:page ri:content-title='There'/></ac:link></p>").kind == "confluence"


def test_entities_of_xml_are_not_expanded(parsed: Reader, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("password 12345")
    text = (
        f'<!DOCTYPE article [<!ENTITY s SYSTEM "{tmp_path}/secret.txt"><!ENTITY a "aaaaaaaaaa">'
        '<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
        "<article><body><p>Words &s; &c;</p></body></article>"
    )
    try:
        found = parsed("x.xml", text).text
    except ParseError as error:
        found = error.detail
    assert "12345" not in found
    assert found.count("a") < 500


def test_notebook(parsed: Reader) -> None:
    output = [
        {"output_type": "stream", "name": "stdout", "text": ["91.2\n", "GeV\n"]},
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "aGk=", "text/plain": "<Figure>"}},
    ]
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# Fit\n", "of $m_Z$"]},
        {"cell_type": "code", "metadata": {}, "execution_count": 1, "source": "print('```')", "outputs": output},
    ]
    book = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": cells}
    found = parsed("x.ipynb", json.dumps(book))
    assert found == Parsed(
        "Fit", "notebook", "# Fit\nof $m_Z$\n\n````python\nprint('```')\n````\n\n```\n91.2\nGeV\n```"
    )
    assert reason_of(parsed, "y.ipynb", '{"cells": 3}') == "corrupt"
    assert reason_of(parsed, "z.ipynb", "not json") == "corrupt"


TWIKI = """\
%META:TOPICINFO{author="Main" date="1" format="1.1"}%
%META:TOPICPARENT{name="WebHome"}%
---+!! %TOPIC%
%TOC%
The *beam* is =on= at <nop>LHC, $ not maths. See [[SomePage][the page]] and [[http://a.org/x][site]].
---++ Numbers
   * one %BR% more
      * two
   1 first
| *Name* | *GeV* |
| LHC | 7000 |
| =SPS= | %SYSTEMWEB%.Topic |
Energy %$E_1 < mc^2$% and
%\\[ \\frac{1}{2} \\]%
<verbatim>
x = *not bold* %VAR%
</verbatim>
%INCLUDE{"Other" section="%NESTED{"x"}%"}%
%META:FIELD{name="Status" title="Status" value="Approved"}%
"""


def test_twiki(parsed: Reader) -> None:
    found = parsed("BeamPage.txt", TWIKI)
    assert (found.title, found.kind) == ("BeamPage", "twiki")
    assert "META" not in found.text
    assert "INCLUDE" not in found.text
    assert "The **beam** is `on` at LHC, \\$ not maths. See the page and [site](http://a.org/x)." in found.text
    assert "## Numbers\n\n- one\n  more\n  - two\n\n1.  first\n\n| Name  | GeV   |\n|-------|-------|\n" in found.text
    assert "| `SPS` | Topic |\n\n" in found.text
    assert (
        "Energy $E_1 < mc^2$ and\n\n$$\\frac{1}{2}$$\n\n```\nx = *not bold* %VAR%\n```\n\n- Status: Approved"
        in found.text
    )


CONFLUENCE = """<h1>Run plan</h1><p>Hello&nbsp;<strong>w</strong>,
<ac:link><ri:page ri:content-title="Beam Dump"/></ac:link> by <ac:link><ri:user ri:username="jdoe"/></ac:link></p>
<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">python</ac:parameter><ac:plain-text-body>
<![CDATA[x = "&nbsp;" < 3
  y]]></ac:plain-text-body></ac:structured-macro>
<ac:structured-macro ac:name="info"><ac:parameter ac:name="title">Care</ac:parameter><ac:rich-text-body><p>Mind
<ac:structured-macro ac:name="mathinline"><ac:plain-text-body><![CDATA[a_1<b]]></ac:plain-text-body>
</ac:structured-macro> it.</p></ac:rich-text-body></ac:structured-macro><ac:structured-macro ac:name="toc"/>
<ac:task-list><ac:task><ac:task-id>17</ac:task-id><ac:task-status>incomplete</ac:task-status>
<ac:task-body>Do it by <time datetime="2024-01-02"/></ac:task-body></ac:task></ac:task-list>
<table><tbody><tr><th>A</th><th>B</th></tr><tr><td><p>1</p><p>2</p></td><td><ul><li>x</li><li>y</li></ul></td></tr>
</tbody></table>"""


def test_confluence(parsed: Reader) -> None:
    found = parsed("12345.html", CONFLUENCE)
    assert (found.title, found.kind) == ("Run plan", "confluence")
    assert found.text.replace("\xa0", " ").split("\n\n") == [
        "# Run plan",
        "Hello **w**, Beam Dump by \\@jdoe",
        '```python\nx = "&nbsp;" < 3\n  y\n```',
        "Care",
        "Mind $a_1<b$ it.",
        "- Do it by 2024-01-02",
        "| A    | B    |\n|------|------|\n| 1; 2 | x; y |",
    ]


def test_web_page_without_its_navigation(parsed: Reader) -> None:
    paragraph = "The superconducting dipoles of the machine bend the beam and are cooled to a low temperature. " * 3
    found = parsed(
        "x.html",
        f"""<html><head><title>Dipoles - Wiki</title></head>
        <body><nav><a href="/a">Home</a> <a href="/b">Log in</a></nav>
        <main><h1>Dipoles</h1><p>{paragraph}</p><p>Field <math><semantics><mrow><mi>B</mi></mrow>
        <annotation encoding="application/x-tex">B_0</annotation></semantics></math> and
        <script type="math/tex">x^2</script> and <math><msup><mi>y</mi><mn>2</mn></msup></math>. {paragraph}</p>
        <table><tr><th>Name</th><th>Tesla</th></tr><tr><td>MB</td><td>8<br>33</td></tr></table>
        <p>{paragraph}</p></main><footer>Imprint</footer></body></html>""",
    )
    assert (found.title, found.kind) == ("Dipoles", "html")
    assert "Log in" not in found.text
    assert "Imprint" not in found.text
    assert "Field $B_0$ and $x^2$ and $y^{2}$." in found.text
    assert "| Name | Tesla |\n|------|-------|\n| MB   | 8 33  |" in found.text


def test_web_page_in_its_own_charset(parsed: Reader) -> None:
    page = '<html><head><meta charset="iso-8859-2"><title>T</title></head><body><p>{}</p></body></html>'
    assert "Łódź ma dużo" in parsed("x.html", page.format("Łódź ma dużo " * 20).encode("iso-8859-2")).text


DUMP = """<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/"><siteinfo><sitename>Wiki</sitename><namespaces>
<namespace key="6">Datei</namespace><namespace key="14">Kategorie</namespace></namespaces></siteinfo>
<page><title>Beam</title><ns>0</ns><revision><text>{{Infobox|name=LHC|energy=7 TeV|country=CH}}
'''Beam''' is &lt;math&gt;E_1&lt;/math&gt; [[Proton|protons]] [[Kategorie:Physik]][[Datei:x.png|thumb|left]]
== Use ==
{| class="a" style="bad quote="x"
! A !! B
|-
| 1 || 2
|}</text></revision></page>
<page><title>Old</title><ns>0</ns><redirect title="Beam"/><revision><text>#REDIRECT [[Beam]]</text></revision></page>
<page><title>Talk:Beam</title><ns>1</ns><revision><text>chat</text></revision></page>
<page><title>Broken</title><ns>0</ns><revision><text>{|
&lt;table&gt;&lt;tr&gt;&lt;td&gt;some words</text></revision></page>
</mediawiki>"""


def test_a_mediawiki_page_has_its_name_for_a_title(parsed: Reader) -> None:
    assert (
        parsed("Beam_dump_(LHC).mediawiki", "It stops the beam.\n\n== Use ==\n\nTwice a day.\n").title
        == "Beam dump (LHC)"
    )


def test_mediawiki_dump(parsed: Reader) -> None:
    found = parsed("dump.xml", DUMP)
    assert (found.title, found.kind) == ("Wiki", "mediawiki")
    assert found.text.startswith(
        "# Beam\n\n- name: LHC\n- energy: 7 TeV\n- country: CH\n\n**Beam** is $E_1$ protons\n\n## Use\n\n"
    )
    assert "| A   | B   |\n|-----|-----|\n| 1   | 2   |" in found.text
    assert "# Broken\n\n" in found.text
    assert "some words" in found.text
    assert not {"Old", "chat", "Physik", "x.png"} & set(found.text.replace("|", " ").split())
    assert reason_of(parsed, "cut.xml", DUMP[:700]) == "corrupt"


def test_wikitext_and_jira(parsed: Reader) -> None:
    assert parsed("p.wiki", "== Head ==\n''it'' __NOTOC__[[Category:X]]").text == "## Head\n\n*it*"
    assert (
        parsed("p.jira", "h1. Head\n\n||A||B||\n|1|2|\n").text
        == "# Head\n\n| A   | B   |\n|-----|-----|\n| 1   | 2   |"
    )
