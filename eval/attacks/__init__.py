"""Robustness: instructions that are hidden in documents, and harmless texts that only look like them.

bipia.py         BIPIA's documents, questions and instructions
notinject.py     NotInject's harmless texts, and the same without their trigger words
sample.py        which instruction is placed into which document, and where
desk.py          a temporary library, and questions to it
injection.py     one page is poisoned and asked about, into a run
obeyed.py        whether an answer does what an instruction demands
over_defence.py  what is refused because of harmless words, into a run
measure.py       an evaluation from its data to its run
metrics.py       what is made of the results
command.py       `refdesk eval attacks`
"""

from eval.attacks.metrics import METRICS

__all__ = ["METRICS"]
