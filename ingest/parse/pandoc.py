"""The one place that starts pandoc."""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
from functools import cache
from pathlib import Path

from assistant.errors import ParseError

# Pipe tables only, so that a splitter knows a table by its leading `|` (hence no line blocks, which look the same);
# no HTML and no attributes; typography as it stands in the source.
WRITER = (
    "markdown-raw_html-native_divs-native_spans-fenced_divs-bracketed_spans-header_attributes-link_attributes"
    "-simple_tables-multiline_tables-grid_tables+pipe_tables-line_blocks-smart-fenced_code_attributes"
    "-inline_code_attributes-raw_attribute-yaml_metadata_block-pandoc_title_block-mmd_title_block"
)
HTML = "html-native_divs-native_spans-raw_html"
INLINE, DISPLAY = "math/tex", "math/tex; mode=display"
"""Types of `<script>` elements in whose text pandoc's HTML reader finds LaTeX."""
FILTER = Path(__file__).with_name("plain.lua")
_NO_MEMORY = (251, -signal.SIGSEGV, -signal.SIGABRT)
"""How the Haskell runtime ends when the heap would grow above `-M`, or the limit on address space is reached first."""


@cache
def program() -> str:
    import pypandoc

    return str(pypandoc.get_pandoc_path())


def to_markdown(data: bytes, reader: str, seconds: float) -> str:
    """`data` in the format `reader` as Markdown, by pandoc without access to other files or the network.

    Text formats must be UTF-8. The title, authors and abstract of the metadata stand in front. Raises ParseError:
    timeout, too_large (memory), or corrupt with pandoc's message.
    """
    command = [program(), "+RTS", f"-M{_heap_mb()}m", "-RTS", "--sandbox", "--quiet", "-f", reader, "-t", WRITER]
    command += ["--wrap=none", "--markdown-headings=atx", "--lua-filter", str(FILTER)]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise ParseError("timeout", f"pandoc needed more than {seconds:g} s") from error
    message = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise ParseError("timeout", f"pandoc was ended by {signal.Signals(-done.returncode).name}")
    if done.returncode in _NO_MEMORY or re.search("heap exhausted|out of memory|unable to allocate", message, re.I):
        raise ParseError("too_large", "pandoc needed more memory than a file may use")
    if done.returncode:
        raise ParseError("corrupt", f"pandoc could not read it as {reader}: {message or f'exit {done.returncode}'}")
    return done.stdout.decode("utf-8")


def to_latex(formulas: list[str], seconds: float) -> list[str]:
    """Each formula in MathML as LaTeX without dollars, in one run of pandoc."""
    page = "<hr>".join(f"<p>{formula}</p>" for formula in formulas)
    found = re.split(r"^-{3,}$", to_markdown(page.encode(), HTML, seconds), flags=re.M)
    if len(found) != len(formulas):
        raise ParseError("corrupt", f"of {len(formulas)} MathML formulas pandoc read {len(found)}")
    return [formula.strip().strip("$") for formula in found]


def _heap_mb() -> int:
    """Two thirds of the address space that this process may use: the runtime needs the rest for itself."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(128, (total if limit == resource.RLIM_INFINITY else min(limit, total)) * 2 // 3 >> 20)
