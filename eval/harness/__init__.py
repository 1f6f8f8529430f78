"""Our language models, with and without a library, as models of lm-evaluation-harness.

Gao et al., "The Language Model Evaluation Harness", https://zenodo.org/records/12608602.
"""
