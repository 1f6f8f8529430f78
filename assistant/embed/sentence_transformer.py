"""A sentence-transformers model as it comes, in single precision, by PyTorch: the embedder where there is a CUDA
device, and for models of which no graph can be made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.embed.weights import fingerprint, load_sentence_transformer
from assistant.settings import EmbedderSettings

if TYPE_CHECKING:
    from assistant.types import FloatArray


class SentenceTransformerEmbedder:
    """See the module. `folder` holds the model."""

    def __init__(self, settings: EmbedderSettings, folder: Path, device: str = "cuda") -> None:
        self._model = load_sentence_transformer(folder, device)
        self._batch_size = settings.batch_size
        self.name = settings.model
        self.fingerprint = f"{fingerprint(folder)}-f32"
        self.dimensions = int(self._model.get_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length) - self._model.tokenizer.num_special_tokens_to_add()

    def embed_passages(self, texts: Sequence[str]) -> FloatArray:
        rows: FloatArray = self._model.encode_document(
            list(texts), batch_size=self._batch_size, normalize_embeddings=True, show_progress_bar=False
        )
        return rows.reshape(len(texts), self.dimensions)

    def embed_query(self, text: str) -> FloatArray:
        row: FloatArray = self._model.encode_query([text], normalize_embeddings=True, show_progress_bar=False)[0]
        return row

    def token_starts(self, text: str) -> Sequence[int]:
        found = self._model.tokenizer(
            text, add_special_tokens=False, return_offsets_mapping=True, truncation=False, verbose=False
        )
        return [start for start, _ in found["offset_mapping"]]
