"""Connectors: one file or folder per kind of source."""
