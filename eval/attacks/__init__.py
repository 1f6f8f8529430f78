"""Robustness: instructions that are hidden in documents, and harmless texts that only look like them."""

from eval.attacks.metrics import METRICS

__all__ = ["METRICS"]
