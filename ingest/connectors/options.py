"""What the section of any source in `refdesk.toml` may say; each connector adds its own.

[sources.wiki]
kind = "mediawiki"
url = "https://wiki.example.org/w/api.php"
readers = ["atlas"]
user = "Reader@refdesk"
secret_env = "WIKI_PASSWORD"
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SourceOptions(BaseModel):
    """Common to all kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    readers: tuple[str, ...] | None = None
    """Groups of which a reader must be in one, besides what the source itself asks for. Sources that have no rules of
    their own (folder, git, web, webdav, llama_index) need it: `["everyone"]` lets everyone read."""
    max_removed: float = Field(0.10, ge=0, le=1)
    """The largest share of its items that may vanish in one run; more is held back without `--allow-deletions`."""
    full_hours: float | None = Field(None, ge=0)
    """List everything again when the last time is longer ago than this; None is what suits the kind."""


class ServerOptions(SourceOptions):
    """Common to sources that a server has."""

    url: str
    user: str = ""
    """With it, the secret is this user's password, else it is a bearer token."""
    secret_env: str = ""
    """The environment variable that holds the secret."""
    secret_file: str = ""
    """The file that holds it; only its owner may be able to read it (mode 600)."""
    allow: tuple[str, ...] = ()
    """`host:port` of servers that may be connected to although they have a private or loopback address."""


class WebOptions(ServerOptions):
    """Common to sources that are reached over HTTP."""

    requests_per_second: float | None = Field(None, gt=0)
    """None is what suits the kind."""
    timeout_seconds: float = Field(60, gt=0)
    """Longest time for one answer, from the request to its last byte."""
    retry_seconds: float = Field(1.0, ge=0)
    """Pause before a request is repeated for the first time; it doubles each time, three times at most."""

    def basic(self, secret: str) -> tuple[str, str] | None:
        """User and password to sign in with; None where the secret is a bearer token."""
        return (self.user, secret) if self.user else None
