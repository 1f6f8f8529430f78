"""What changed at the sources, and so what to do.

run.py         one run: several sources read, parsed, and shown in whole steps
reading.py     one source, read: what is listed against what is known
interleave.py  several readings at once
taking.py      what was found, taken into the library: text, rules, removals
state.py       how far a source was read
"""

from ingest.sync.run import LOCK, Progress, build_library, sync_sources

__all__ = ["LOCK", "Progress", "build_library", "sync_sources"]
