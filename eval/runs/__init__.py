"""Evaluations on disk: what was measured, on what, and every result."""
