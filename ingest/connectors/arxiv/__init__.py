"""arXiv: papers as LaTeX, else as PDF.

papers.py  lists and fetches them
feed.py    what the Atom feed says of a paper
"""

from ingest.connectors.arxiv.papers import Arxiv, ArxivOptions

__all__ = ["Arxiv", "ArxivOptions"]
