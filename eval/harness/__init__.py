"""Our language models, with and without a library, as models of lm-evaluation-harness.

questions.py  multiple-choice questions: MMLU, MMLU-Pro and ARC, from files or the hub
local.py      a model in this process
served.py     a model behind a server, such as vLLM
room.py       how many tokens of a prompt either has room for
passages.py   either of them, shown what a library holds
systems.py    which of these a run measures
tasks.py      tasks of lm-evaluation-harness, answered part by part
letters.py    the letter that a written reply chooses
mmlu.py       MMLU's protocol, into a run
any_task.py   any task of lm-evaluation-harness, into a run
measure.py    an evaluation from what is asked to its run
metrics.py    what is made of the results
command.py    `refdesk eval mmlu`

Gao et al., "The Language Model Evaluation Harness", https://zenodo.org/records/12608602.
"""

from eval.harness.metrics import METRICS

__all__ = ["METRICS"]
