"""Jupyter notebooks: Markdown as it stands, code as fenced code, and what the code printed."""

from __future__ import annotations

import json
from typing import Any

from assistant.errors import ParseError
from ingest.parse.decode import decode
from ingest.parse.parsed import Draft


def read_notebook(data: bytes) -> Draft:
    """Cells in their order. Raises ParseError("corrupt") for what is no notebook."""
    import nbformat

    try:
        notebook: Any = nbformat.reads(decode(data), as_version=4)  # type: ignore[no-untyped-call]
        language = notebook.metadata.get("kernelspec", {}).get("language", "") or "python"
        cells = [_cell(cell, language) for cell in notebook.cells]
    except (json.JSONDecodeError, nbformat.ValidationError, nbformat.reader.NotJSONError) as error:
        raise ParseError("corrupt", f"no notebook: {str(error).splitlines()[0][:200]}") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise ParseError("corrupt", f"not the structure of a notebook: {error!r}") from error
    return Draft("notebook", tuple(filter(None, cells)), notebook.metadata.get("title", ""))


def _cell(cell: Any, language: str) -> str:
    source = cell.source.strip("\n")
    if cell.cell_type != "code":
        return str(source)
    pieces = [fenced(source, language)] if source.strip() else []
    pieces += [fenced(text, "") for output in cell.outputs if (text := _printed(output)).strip()]
    return "\n\n".join(pieces)


def _printed(output: Any) -> str:
    """The plain text of one output; "" for pictures and widgets."""
    match output.output_type:
        case "stream":
            return str(output.text)
        case "error":
            return f"{output.ename}: {output.evalue}"
        case "execute_result" | "display_data":
            return str(output.data.get("text/plain", "")) if "image/png" not in output.data else ""
        case _:
            return ""


def fenced(text: str, language: str) -> str:
    """`text` as a code block whose fence is longer than any inside."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
