"""What can go wrong, one class per thing that a caller would handle differently.

    RefdeskError
    ├── SettingsError          refdesk.toml or the environment holds something unknown or malformed
    ├── ModelNotFound          an embedder or LLM that is named is not on this machine
    ├── LibraryError
    │   ├── LibraryNotFound    there is no library at this path
    │   ├── LibraryLocked      another process is writing to it
    │   ├── LibraryMismatch    made with another embedder
    │   ├── LibraryTooNew      made by a newer Refdesk
    │   ├── LibraryTooOld      made by an older Refdesk; `refdesk migrate` brings it up to date
    │   ├── LibraryReadOnly    it can be read, but not written
    │   ├── LibraryDiskFull    there was no room to write
    │   └── LibraryDamaged     a file is missing or does not hold what it should
    ├── SourceError            a source as a whole could not be read; nothing is removed
    │   └── FetchError         a request failed, or an item could not be had; has `.reason`
    ├── ParseError             one item could not be read; has `.reason`
    ├── LLMError
    │   ├── LLMUnavailable     no server answers, or not in time
    │   └── LLMGarbage         a server answers, but not with what it promised
    │       └── LLMSilent      the model ended its answer before it had said a word
    └── RunError               a run of an evaluation cannot be read, gone on with or compared

Bad arguments are `ValueError`. A message says what was asked, what was found and what to do.
"""

from __future__ import annotations


class RefdeskError(Exception):
    """Base of everything that Refdesk raises on purpose."""


class SettingsError(RefdeskError):
    pass


class ModelNotFound(RefdeskError):
    pass


class LibraryError(RefdeskError):
    pass


class LibraryNotFound(LibraryError):
    pass


class LibraryLocked(LibraryError):
    pass


class LibraryMismatch(LibraryError):
    pass


class LibraryTooNew(LibraryError):
    pass


class LibraryTooOld(LibraryError):
    pass


class LibraryReadOnly(LibraryError):
    pass


class LibraryDiskFull(LibraryError):
    pass


class LibraryDamaged(LibraryError):
    pass


class SourceError(RefdeskError):
    pass


class FetchError(SourceError):
    """What was asked of a source could not be had.

    `reason` is one word out of: unreachable (no answer, or not in time, or the server is at fault), forbidden,
    gone, too_large, cut (a body that ends early, each time), not_content (a login page, or another type than was asked
    for), refused (any other answer), blocked (an address that may not be connected to).
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ParseError(RefdeskError):
    """One item could not be read.

    `reason` is one word out of: needs_ocr, encrypted, corrupt, timeout, too_large, empty, unsupported, unreadable.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type[ParseError], tuple[str, str]]:
        return ParseError, (self.reason, self.detail)


class LLMError(RefdeskError):
    pass


class LLMUnavailable(LLMError):
    pass


class LLMGarbage(LLMError):
    pass


class LLMSilent(LLMGarbage):
    pass


class RunError(RefdeskError):
    pass
