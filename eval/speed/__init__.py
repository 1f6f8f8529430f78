"""How fast indexing and search are on this machine, beside what is wanted.

`table.py` measures one row after another of the table that `refdesk eval speed` prints. The modules beside it each
measure one thing, and make the corpora, files and processes that this needs. No figure is asserted anywhere.
"""
