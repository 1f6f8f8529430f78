"""How far a source was read: kept in the catalog, so that the next run reads only what changed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from ingest.connectors.options import SourceOptions

_NOT_CONTENT = {"max_removed", "full_hours", "timeout_seconds", "retry_seconds", "requests_per_second"}
"""Settings that say how a source is read, not what of it."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """`cursor` is the connector's, `listed` when everything was listed last (ISO 8601), `options` a digest of the
    settings that were in force, `read` when it was read to its end last."""

    cursor: str = ""
    listed: str = ""
    options: str = ""
    read: str = ""

    @classmethod
    def parse(cls, text: str) -> SourceState:
        return cls(**json.loads(text)) if text else cls()

    def written(self) -> str:
        return json.dumps(asdict(self))

    def since(self, options: str, full_hours: float, now: datetime) -> str:
        """The cursor from which changes are enough, or "" where everything is to be listed: for the first time, with
        other settings, or because the last time is `full_hours` ago."""
        if not self.cursor or not self.listed or self.options != options:
            return ""
        ago = (now - datetime.fromisoformat(self.listed)).total_seconds() / 3600
        return "" if ago >= full_hours else self.cursor

    def after(self, cursor: str, options: str, now: datetime, *, listed: bool) -> SourceState:
        """The state after a run that read the source to its end."""
        when = now.isoformat(timespec="seconds")
        return SourceState(cursor, when if listed else self.listed, options, when)


def digest(options: SourceOptions, reading: int) -> str:
    """A short name of settings and of the way that items are read, which changes when what is listed may."""
    wanted = options.model_dump(exclude=_NOT_CONTENT)
    return hashlib.sha256(repr((reading, sorted(wanted.items()))).encode()).hexdigest()[:16]


def now() -> datetime:
    return datetime.now(UTC)
