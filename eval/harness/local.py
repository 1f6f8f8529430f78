"""A language model in this process, as a model of lm-evaluation-harness, that computes what prompts share only once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import normalize_gen_kwargs
from transformers import DynamicCache
from transformers.utils import logging

from assistant.errors import ModelNotFound
from assistant.llm.vllm import place
from assistant.settings import LLMSettings
from eval.harness.room import room, writing_room

_DTYPES = {"bf16": "bfloat16", "f32": "float32", "auto": "auto"}


class LocalModel(HFLM):  # type: ignore[misc]
    """lm-eval's own `hf` model, but for how it computes.

    The solved examples before the questions of a subject are the same, and so is the question before its choices. One
    prompt at a time is run on top of the keys and values of the tokens that it shares with the one before; lm-eval runs
    each from its beginning. The log-likelihoods differ by rounding (1e-4 in f32).
    """

    together = 1
    """So that what is written follows the choice on the same question, whose prompt is computed then."""

    def __init__(self, settings: LLMSettings, adapter: Path | None = None) -> None:
        """Loads `settings.model` in `settings.precision`, on the GPU if there is one; `adapter` is a PEFT folder.

        Prompts beyond `settings.context_tokens` lose their beginning, as in lm-eval. Raises ModelNotFound.
        """
        if adapter is not None and not (adapter / "adapter_config.json").is_file():
            raise ModelNotFound(f"{adapter} is no adapter: it has no adapter_config.json, which PEFT writes.")
        gpu = torch.cuda.is_available()
        precision = "bf16" if settings.precision == "auto" and not gpu else settings.precision
        bars = logging.is_progress_bar_enabled()
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            super().__init__(
                pretrained=place(settings.model),
                dtype=_DTYPES[precision],
                device="cuda" if gpu else "cpu",
                peft=os.fspath(adapter) if adapter else None,
                max_length=room(settings),
                batch_size=1,
            )
        except (OSError, ValueError) as error:  # transformers: it is neither here nor at the hub; it is no model
            raise ModelNotFound(f"llm.model is {settings.model}, which cannot be loaded: {error}") from error
        finally:
            if bars:
                logging.enable_progress_bar()  # type: ignore[no-untyped-call]
        self.cut: set[str] = set()
        self._cache, self._cached = DynamicCache(), list[int]()

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        return super().loglikelihood(requests, disable_tqdm=True)  # type: ignore[no-any-return]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = True) -> list[str]:
        for prompt, given in (request.args for request in requests):
            most = normalize_gen_kwargs(given, self.max_gen_toks)["max_gen_toks"]
            if len(self.tok_encode(prompt)) > writing_room(self.max_length, most):
                self.cut.add(prompt)
        return super().generate_until(requests, disable_tqdm=True)  # type: ignore[no-any-return]

    def _loglikelihood_tokens(
        self, requests: list[tuple[Any, list[int], list[int]]], disable_tqdm: bool = True, **_: Any
    ) -> list[tuple[float, bool]]:
        """(sum of log-probabilities of the continuation, whether it is what the model finds likeliest) of each."""
        found: dict[int, tuple[float, bool]] = {}
        for n in sorted(range(len(requests)), key=lambda n: requests[n][1] + requests[n][2]):
            texts, context, continuation = requests[n]
            tokens = (context + continuation)[-(self.max_length + 1) :]
            if len(tokens) < len(context) + len(continuation) and texts is not None:
                self.cut.add(texts[0])
            scores = self._scores(tokens[:-1], len(continuation))
            wanted = torch.tensor(continuation, device=scores.device)
            likelihood = scores.gather(1, wanted.unsqueeze(1)).sum()
            found[n] = (float(likelihood), bool((scores.argmax(1) == wanted).all()))
        return [found[n] for n in range(len(requests))]

    def _scores(self, tokens: list[int], last: int) -> torch.Tensor:
        """Log-probabilities of what follows each of the `last` last tokens, (last, vocabulary) in f32."""
        start = self._share(tokens, last)
        given = torch.tensor([tokens[start:]], device=self.device)
        with torch.no_grad():
            found = self.model(input_ids=given, past_key_values=self._cache, use_cache=True, logits_to_keep=last)
        self._cached = tokens
        return torch.log_softmax(found.logits[0, -last:].float(), dim=-1)

    def _share(self, tokens: list[int], last: int) -> int:
        """Keeps of the cache what `tokens` begins with, but for the `last` ones, and says how many tokens that is."""
        most = min(len(self._cached), len(tokens) - last)
        start = next((n for n in range(most) if self._cached[n] != tokens[n]), most)
        self._cache.crop(start - len(self._cached))
        self._cached = self._cached[:start]
        return start

    def _model_generate(self, context: torch.Tensor, max_length: int, stop: list[str], **asked: Any) -> torch.Tensor:
        tokens = context[0].tolist()
        if len(tokens) > 1:
            self._scores(tokens[:-1], 1)
        written = super()._model_generate(context, max_length, stop, past_key_values=self._cache, **asked)
        self._cached = written[0].tolist()[: self._cache.get_seq_length()]
        return written  # type: ignore[no-any-return]
