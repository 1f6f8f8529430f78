"""A git repository, kept as a bare clone and read from its object store, over connections that were checked.

repository.py  an item per file of a branch
clone.py       fetches what is new; trees, renames, contents, log
command.py     git without settings, hooks or questions
history.py     who wrote each file and when
remote.py      where it is, and how git connects to no other address
"""

from ingest.connectors.git.repository import Git, GitOptions

__all__ = ["Git", "GitOptions"]
