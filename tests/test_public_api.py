"""What `assistant` and `ingest` offer is what they say they offer."""

from __future__ import annotations

import dataclasses
import inspect

import assistant
import assistant.errors
import assistant.types
import ingest


def test_every_public_name_can_be_had() -> None:
    for package in (assistant, ingest):
        assert list(package.__all__) == sorted(package.__all__)
        for name in package.__all__:
            assert getattr(package, name).__name__ == name


def test_every_error_is_public() -> None:
    errors = {name for name, value in vars(assistant.errors).items() if inspect.isclass(value)}
    assert errors <= set(assistant.__all__)
    for name in errors - {"RefdeskError"}:
        assert issubclass(getattr(assistant, name), assistant.RefdeskError)


def test_the_error_tree_is_drawn() -> None:
    drawn = assistant.errors.__doc__ or ""
    for name, value in vars(assistant.errors).items():
        if inspect.isclass(value):
            assert f" {name} " in drawn or f" {name}\n" in drawn, f"{name} is missing from the tree in the docstring"


def test_records_are_frozen_typed_and_documented() -> None:
    for name in ("Access", "Answer", "Chunk", "Citation", "Document", "Item", "Passage", "Section"):
        record = getattr(assistant, name)
        assert dataclasses.is_dataclass(record)
        assert record.__dataclass_params__.frozen  # type: ignore[attr-defined]
        assert record.__doc__
        assert not record.__doc__.startswith(f"{name}(")  # what dataclasses write by themselves


def test_public_functions_say_what_they_do() -> None:
    for method in ("open", "as_user", "search", "ask", "stream", "status", "documents", "document"):
        assert inspect.getdoc(getattr(assistant.Assistant, method)), method
    assert inspect.getdoc(ingest.build_library)
