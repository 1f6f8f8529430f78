"""How well search finds documents.

beir.py       a BEIR folder: its files
queries.py    what is asked and which documents are relevant, from BEIR or from a library's own questions
stages.py     Refdesk's stages as systems: lexical (BM25 alone), dense alone, fused, reranked
baselines.py  LlamaIndex's and LangChain's default retrievers as systems
vectors.py    the vectors of the baselines, kept
prepare.py    queries and the library they are put to, from a folder or a file
measure.py    each query by each system, into a run
command.py    `refdesk eval retrieval`
"""

from eval.metrics.ranking import METRICS

__all__ = ["METRICS"]
