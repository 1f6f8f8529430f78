"""What training data are made of: a description in TOML.

    seed = 1
    validation = 0.1                 # share of the documents that stop a training
    test = 0.2                       # and of those that only measure it
    others = 8                       # hard negatives of a question, at most

    [[questions]]
    kind = "squad"                   # or scifact, beir, questions, feedback
    path = "v2.0-16-articles.json"   # a file, or a folder; relative to the description
    licence = "CC BY-SA 4.0"

`count` takes so many questions of a source at random. `split` names that of a BEIR folder. Reviewed questions and
feedback are about a `library`, which is read as somebody in `groups`: as these questions may tell what only they know,
what is trained on them is for those who are in all of these groups.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from assistant.settings import what_is_wrong


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Origin(_Part):
    """A source of questions; `path` and `library` are relative to the description."""

    kind: Literal["squad", "scifact", "beir", "questions", "feedback"]
    path: Path
    licence: str
    split: str = ""
    count: int | None = Field(None, ge=1)
    library: Path | None = None
    groups: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _belongs(self) -> Origin:
        on_a_library = self.kind in ("questions", "feedback")
        if on_a_library != (self.library is not None):
            raise ValueError("a library belongs to the kinds questions and feedback, and to no other")
        if self.groups and not on_a_library:
            raise ValueError("groups belong to the kinds questions and feedback, which are read as somebody")
        if self.split and self.kind != "beir":
            raise ValueError("a split belongs to the kind beir, and to no other")
        return self


class Description(_Part):
    """See the module. `folder` is what paths are relative to."""

    questions: tuple[Origin, ...] = Field(min_length=1)
    seed: int = 1
    validation: float = Field(0.1, ge=0, lt=1)
    test: float = Field(0.2, ge=0, lt=1)
    others: int = Field(8, ge=0, le=50)


def read_description(file: Path) -> Description:
    """Raises FileNotFoundError, and ValueError that names file and key for what is wrong."""
    try:
        found = Description.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise ValueError(f"{file}: {what_is_wrong(error, Description)}.") from error
    except ValueError as error:
        raise ValueError(f"{file} is not TOML: {error}.") from error
    if found.validation + found.test >= 1:
        raise ValueError(f"{file}: validation and test together must leave something to train on, below 1.")
    folder = file.resolve().parent
    origins = [
        one.model_copy(update={"path": folder / one.path, "library": one.library and folder / one.library})
        for one in found.questions
    ]
    return found.model_copy(update={"questions": tuple(origins)})
