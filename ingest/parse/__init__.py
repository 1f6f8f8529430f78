"""From a file to text. `parse_files` reads each file in a limited child process; `parse` reads one in this process."""

from ingest.parse.choose import parse
from ingest.parse.parsed import Parsed
from ingest.parse.pool import parse_files

__all__ = ["Parsed", "parse", "parse_files"]
