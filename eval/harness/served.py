"""A language model behind an OpenAI-compatible server, such as vLLM, as a model of lm-evaluation-harness."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from assistant.errors import LLMError, LLMGarbage, ModelNotFound
from assistant.llm.completions import complete
from assistant.llm.generate import probe
from assistant.llm.vllm import place
from assistant.settings import LLMSettings
from eval.harness.room import room, writing_room

_BATCH_TOKENS = 8_192
"""Of the prompts in one request: a CPU needs up to a minute for them."""
_NAMED = 20
"""Most tokens whose log-probabilities vLLM gives by name (`--max-logprobs`)."""
_CHECK = "Is the tokenizer the same? ναι, 北京, ∫ x² dx = 3.14159e-10,\n\tand so on."

_Request = tuple[Any, list[int], list[int]]


class ServedModel(TemplateLM):  # type: ignore[misc]
    """Log-likelihoods by either of two ways, whichever the server knows.

    `prompt`: of the prompt's own tokens (`echo`), which every server for open models gives; each continuation is sent
    with its whole context. `named`: continuations of one token are asked for by the token's id (`logprob_token_ids` of
    vLLM), all those of a context at once, and what contexts share is computed once (prefix caching).
    """

    together = 16

    def __init__(self, settings: LLMSettings, adapter: str | None = None, named: bool | None = None) -> None:
        """Asks the server at `settings.url` for `settings.model`, or for the adapter that it serves by that name.

        `named` chooses the way; None asks the server. Raises LLMUnavailable, and LLMGarbage when the server's tokenizer
        is not that of the model; ModelNotFound when the model's tokenizer is neither here nor at the hub.
        """
        from transformers import AutoTokenizer

        super().__init__()
        served = probe(settings)
        self.base, self.model = served, adapter or served
        self.max_length = room(settings)
        self.max_gen_toks = 256
        self.cut: set[str] = set()
        self._settings = settings
        try:
            self.tokenizer = AutoTokenizer.from_pretrained(place(served))
        except (OSError, ValueError) as error:  # not there; there, but no tokenizer
            raise ModelNotFound(
                f"{settings.url} serves {served}, whose tokenizer is not here: {error} Set REFDESK_LLM__MODEL."
            ) from error
        self._check_tokenizer()
        self.named = self._knows_names() if named is None else named

    def _check_tokenizer(self) -> None:
        _, read = complete(_CHECK, self._settings, self.model, 1)
        if read != (ours := len(self.tok_encode(_CHECK))):
            raise LLMGarbage(
                f"{self._settings.url} makes {read} tokens of a text of which the tokenizer of {self.model} makes "
                f"{ours}. Set REFDESK_LLM__MODEL to the model that is served."
            )

    def _knows_names(self) -> bool:
        try:
            return len(self._by_name([self.tok_encode("Answer:")], (0, 1))[0]) == 2
        except LLMError:  # a server may refuse what it does not know; if it answers nothing at all, the next one fails
            return False

    @property
    def way(self) -> str:
        """Which of the two ways is used: they round differently."""
        return "log-probabilities of named tokens" if self.named else "log-probabilities of the prompt"

    @property
    def eot_token_id(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def prefix_token_id(self) -> int:
        return int(self.tokenizer.bos_token_id or self.tokenizer.eos_token_id)

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """As lm-eval's `hf` model does it, so that both read the same tokens."""
        if add_special_tokens is None and string.startswith(str(self.tokenizer.decode([self.prefix_token_id]))):
            add_special_tokens = False
        asked = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return list(self.tokenizer.encode(string, **asked))

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                chat_history,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
                continue_final_message=not add_generation_prompt,
            )
        )

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        return super().loglikelihood(requests, disable_tqdm=True)  # type: ignore[no-any-return]

    def log_likelihood(self, context: list[int], said: list[int]) -> float:
        """Of the tokens `said` after those of `context`, in nats. Raises LLMError."""
        return self._loglikelihood_tokens([(None, context, said)])[0][0]

    def _loglikelihood_tokens(
        self, requests: list[_Request], disable_tqdm: bool = True, **_: Any
    ) -> list[tuple[float, bool]]:
        alike: dict[tuple[int, ...], dict[int, list[int]]] = defaultdict(dict)  # context -> token -> its requests
        whole: dict[int, tuple[list[int], int]] = {}
        for n, (texts, context, continuation) in enumerate(requests):
            tokens = (context + continuation)[-(self.max_length + 1) :]
            if len(tokens) < len(context) + len(continuation) and texts is not None:
                self.cut.add(texts[0])
            if self.named and len(continuation) == 1:
                alike[tuple(tokens[:-1])].setdefault(continuation[0], []).append(n)
            else:
                whole[n] = (tokens, len(tokens) - len(continuation))
        found = self._echoed(whole)
        for context_tokens, answers in self._named(alike):
            for token, answer in answers.items():
                for n in alike[context_tokens][token]:
                    found[n] = answer
        return [found[n] for n in range(len(requests))]

    def _named(
        self, alike: dict[tuple[int, ...], dict[int, list[int]]]
    ) -> Iterator[tuple[tuple[int, ...], dict[int, tuple[float, bool]]]]:
        """For each context the answers for the tokens that may follow it."""
        asked: dict[tuple[int, ...], list[tuple[int, ...]]] = defaultdict(list)  # tokens -> contexts
        for context in sorted(alike):
            tokens = sorted(alike[context])
            for start in range(0, len(tokens), _NAMED):
                asked[tuple(tokens[start : start + _NAMED])].append(context)
        for names, contexts in asked.items():
            for batch in _batches(contexts):
                for context, answers in zip(batch, self._by_name(batch, names), strict=True):
                    if len(answers) < len(names):
                        raise LLMGarbage(f"{self._settings.url} gave no log-probability of a token that was named.")
                    yield context, answers

    def _by_name(
        self, contexts: Sequence[Sequence[int]], names: tuple[int, ...]
    ) -> list[dict[int, tuple[float, bool]]]:
        choices, _ = complete(
            [list(context) for context in contexts],
            self._settings,
            self.model,
            1,
            logprobs=1,
            logprob_token_ids=list(names),
            return_tokens_as_token_ids=True,
        )
        keys = {f"token_id:{name}": name for name in names}
        found = []
        for choice in choices:
            first, given = _of(choice, "tokens")[0], _of(choice, "top_logprobs")[0]
            found.append({keys[k]: (_finite(value), k == first) for k, value in given.items() if k in keys})
        return found

    def _echoed(self, whole: dict[int, tuple[list[int], int]]) -> dict[int, tuple[float, bool]]:
        """The answers for sequences of tokens, of which those from an index on are the continuation."""
        found = {}
        order = sorted(whole, key=lambda n: whole[n][0])
        for batch in _batches(order, lambda n: len(whole[n][0])):
            prompts = [whole[n][0] for n in batch]
            choices, _ = complete(prompts, self._settings, self.model, 1, logprobs=1, echo=True)
            for n, prompt, choice in zip(batch, prompts, choices, strict=True):
                values, best = _of(choice, "token_logprobs"), _of(choice, "top_logprobs")
                if not len(prompt) <= len(values) <= len(prompt) + 1:
                    raise LLMGarbage(
                        f"{self._settings.url} gave log-probabilities of {len(values)} tokens for a prompt of "
                        f"{len(prompt)}: it does not echo prompts, and cannot be used to score."
                    )
                span = range(whole[n][1], len(prompt))
                said = [_finite(values[i]) for i in span]
                greedy = all(one >= max(_finites(best[i])) for i, one in zip(span, said, strict=True))
                found[n] = (sum(said, 0.0), greedy)
        return found

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = True) -> list[float]:
        """The log-likelihood of each whole text, in windows as lm-eval cuts them."""
        found = []
        for (text,) in (request.args for request in requests):
            windows = get_rolling_token_windows(self.tok_encode(text), self.prefix_token_id, self.max_length, 1)
            scored = self._loglikelihood_tokens([(None, *make_disjoint_window(window)) for window in windows])
            found.append(sum(likelihood for likelihood, _ in scored))
        return found

    def _beginning_lost(self, prompt: str, most: int) -> list[int]:
        """The prompt's last tokens, after which `most` have room. Raises ValueError where they alone have none."""
        tokens, fitting = self.tok_encode(prompt), writing_room(self.max_length, most)
        if len(tokens) > fitting:
            self.cut.add(prompt)
        return tokens[-fitting:]

    def generate_until(self, requests: list[Any], disable_tqdm: bool = True) -> list[str]:
        alike: dict[str, list[int]] = defaultdict(list)
        for n, request in enumerate(requests):
            alike[repr(request.args[1])].append(n)
        found = {}
        for same in alike.values():
            asked = normalize_gen_kwargs(requests[same[0]].args[1], self.max_gen_toks)
            until, most = asked["until"], asked["max_gen_toks"]
            tokens = [(self._beginning_lost(requests[n].args[0], most), n) for n in same]
            for batch in _batches(sorted(tokens), lambda one: len(one[0])):
                prompts = [prompt for prompt, _ in batch]
                temperature = asked.get("temperature", 0.0)
                choices, _ = complete(
                    prompts, self._settings, self.model, most, stop=until or None, temperature=temperature
                )
                for (_, n), choice in zip(batch, choices, strict=True):
                    found[n] = postprocess_generated_text(str(choice.get("text", "")), until, None)
        return [found[n] for n in range(len(requests))]


def _of(choice: dict[str, Any], what: str) -> list[Any]:
    found = (choice.get("logprobs") or {}).get(what)
    if not isinstance(found, list) or not found:
        raise LLMGarbage(
            f"The server gave a completion without logprobs.{what}: it cannot be used to score. vLLM can, and so can "
            "most servers of open models."
        )
    return found


def _finite(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise LLMGarbage(f"The server gave {value!r} as a log-probability, which is no number: it cannot be measured.")
    return float(value)


def _finites(named: Any) -> list[float]:
    if not isinstance(named, dict) or not named:
        raise LLMGarbage(f"The server gave {named!r} as the likeliest tokens, which names none: it cannot be measured.")
    return [_finite(value) for value in named.values()]


def _batches(things: Sequence[Any], tokens: Callable[[Any], int] = len) -> Iterator[list[Any]]:
    """Parts of about `_BATCH_TOKENS`, one thing at least, in order."""
    batch: list[Any] = []
    for thing in things:
        if batch and sum(map(tokens, batch)) + tokens(thing) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(thing)
    if batch:
        yield batch
