"""The password or token of a source: from the environment or from a file that only its owner can read."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from assistant.errors import SettingsError
from ingest.connectors.options import ServerOptions

_USUAL_NAME = re.compile(r"[A-Z][A-Z0-9_]{0,60}")


def secret_of(options: ServerOptions) -> str:
    """What `secret_env` or `secret_file` holds, without white space around it; "" where neither is set.

    Raises SettingsError, which never shows the secret, where both are set, or what they name is missing, empty,
    readable by others, or more than one line.
    """
    if options.secret_env and options.secret_file:
        raise SettingsError("A source has both secret_env and secret_file. Keep one.")
    if options.secret_env:
        found = os.environ.get(options.secret_env, "").strip()
        if not found:
            raise SettingsError(f"{_variable(options.secret_env)} is to hold a secret, but is not set.")
        return _one_line(found, _variable(options.secret_env))
    if not options.secret_file:
        return ""
    path = Path(options.secret_file).expanduser()
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SettingsError(f"Others can read the secret in {path} (mode {mode & 0o777:o}): chmod 600 {path}")
            found = stream.read(65_536).decode().strip()
    except OSError as error:
        raise SettingsError(f"The secret in {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SettingsError(f"The secret in {path} is no text in UTF-8.") from None  # the error would hold the secret
    if not found:
        raise SettingsError(f"{path} is to hold a secret, but is empty.")
    return _one_line(found, f"The secret in {path}")


def _variable(name: str) -> str:
    """The variable, named only if it looks like one: people put the secret itself there."""
    if _USUAL_NAME.fullmatch(name):
        return f"The environment variable {name}"
    return "What secret_env names (the name of an environment variable, such as WIKI_PASSWORD, and not the secret)"


def _one_line(secret: str, place: str) -> str:
    if not secret.isprintable():
        raise SettingsError(f"{place} has several lines or control characters. Keep the secret only.")
    return secret
