"""How many tokens of a prompt a model has room for."""

from __future__ import annotations

from assistant.settings import LLMSettings


def writing_room(context: int, most: int) -> int:
    """Most tokens of a prompt after which `most` are written. Raises ValueError where none are left for it."""
    if context <= most:
        raise ValueError(
            f"The task has up to {most} tokens written, but the model's context has only {context} tokens: raise "
            "REFDESK_LLM__CONTEXT_TOKENS."
        )
    return context - most


def room(settings: LLMSettings) -> int:
    """Most tokens of a prompt: servers want room for one token to generate, and for the last one of a continuation."""
    return settings.context_tokens - 2
