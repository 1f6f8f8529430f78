"""Reranking: a cross-encoder reads question and passage together and says how well they fit.

It is more exact than comparing two vectors, and has to read every passage anew for every question: so it orders only
the first passages of a search. Nogueira and Cho, "Passage re-ranking with BERT", arXiv:1901.04085, 2019.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from assistant.embed.precision import has_cuda
from assistant.embed.weights import fingerprint, hub_folder, model_folder
from assistant.errors import ModelNotFound, SettingsError
from assistant.text.passage_text import passage_text
from assistant.types import Passage

if TYPE_CHECKING:
    from assistant.settings import SearchSettings
    from assistant.types import FloatArray

_SETTING = "search.reranker"
_CLASSIFIER = "ForSequenceClassification"


class Reranker:
    """A sentence-transformers CrossEncoder with one label. Safe to use from several threads.

    `folder` holds the model, `name` is what the settings call it. Raises ModelNotFound where no classifier is in the
    folder, SettingsError for one that has several labels.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.fingerprint = fingerprint(folder)
        self._model = _load(folder)
        self._one_at_a_time = Lock()  # the tokenizer holds the padding of a call

    def scores(self, question: str, passages: Sequence[Passage]) -> FloatArray:
        """How well each passage fits the question, shape (len(passages),): the model's logits, more is better.

        One forward pass. A passage is read with title and headings in front, as the embedder reads it; what is longer
        than the model takes is cut at its end.
        """
        import numpy as np
        from torch.nn import Identity

        if not passages:
            return np.empty(0, np.float32)
        pairs = [(question, passage_text(p.title, p.section, p.text)) for p in passages]
        with self._one_at_a_time:
            # Without the sigmoid that is usual here, which makes all high logits the same 1.
            found: FloatArray = self._model.predict(
                pairs, batch_size=len(pairs), activation_fn=Identity(), show_progress_bar=False
            )
        return found


def open_reranker(settings: SearchSettings) -> Reranker | None:
    """The reranker that the settings name, or None where they name none.

    Raises ModelNotFound if it is neither a folder nor on the hub or in its cache, and as `Reranker` does.
    """
    if not settings.reranker:
        return None
    folder = model_folder(settings.reranker) or hub_folder(settings.reranker, _SETTING)
    return Reranker(settings.reranker, folder)


def _load(folder: Path) -> Any:
    """Refuses whatever transformers would load with a classifier of random weights: an embedder, for one."""
    found = _architectures(folder)
    if not any(name.endswith(_CLASSIFIER) for name in found):
        raise ModelNotFound(
            f"{folder}, named as {_SETTING}, holds no cross-encoder: the architecture in its config.json is "
            f"{', '.join(found) or 'not given'}, and one that ends with {_CLASSIFIER} is needed. An embedder cannot "
            f"rerank; name another model, or leave {_SETTING} empty."
        )
    from sentence_transformers import CrossEncoder
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = CrossEncoder(str(folder), device="cuda" if has_cuda() else "cpu").eval()
    except (OSError, ValueError, KeyError) as error:
        raise ModelNotFound(f"The reranker in {folder}, named as {_SETTING}, cannot be loaded: {error}.") from error
    if model.num_labels != 1:
        raise SettingsError(
            f"{_SETTING} names {folder}, a classifier with {model.num_labels} labels. A reranker has one, the score: "
            f"name another model, or leave {_SETTING} empty."
        )
    return model


def _architectures(folder: Path) -> list[str]:
    """What a model's config.json says that it is; nothing where there is none."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except json.JSONDecodeError as error:
        raise ModelNotFound(f"{file}, of the model named as {_SETTING}, is not JSON: {error}.") from error
    return config.get("architectures") or []
