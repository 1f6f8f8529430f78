"""How good answers are: questions with known answers are put to the assistant and to what it should be better than.

systems.py     who is asked: the assistant extracting, the assistant with an LLM, the LLM alone
score.py       a reply beside what is known of its question: the values of one result
likelihood.py  how likely the LLM finds the right answer
judge.py       an LLM's verdict on an answer
ask.py         every question to every system, into a run
measure.py     an evaluation from its file of questions to its run
metrics.py     what is made of the results
studies.py     PubMedQA's questions and abstracts
pubmedqa.py    yes, no or maybe to them, by an LLM with and without abstracts
command.py     `refdesk eval answers` and `refdesk eval pubmedqa`
"""

from eval.answers.metrics import METRICS

__all__ = ["METRICS"]
