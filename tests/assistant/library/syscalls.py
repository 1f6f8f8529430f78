"""Watches, stops or starves a program at the system calls by which it changes files below one folder.

The program runs in a forked child below a seccomp filter: each system call that can change a file is held by the kernel
until we say whether it may go on, fails, or is the last thing that the child wanted (seccomp_unotify(2), Linux 5.5; no
privilege is needed). Threads of the child are watched as well. Writes through `mmap` are not seen.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import os
import platform
import select
import signal
import socket
import stat
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Number of each call by machine, and where its arguments are: d a descriptor, p a path, f flags, n a new size.
_CALLS: dict[str, dict[int, tuple[str, str]]] = {
    "x86_64": {
        1: ("write", "d"),
        18: ("write", "d"),  # pwrite64
        20: ("write", "d"),  # writev
        296: ("write", "d"),  # pwritev
        328: ("write", "d"),  # pwritev2
        40: ("write", "d"),  # sendfile
        326: ("write", "--d"),  # copy_file_range
        285: ("allocate", "d"),
        77: ("truncate", "dn"),
        76: ("truncate", "pn"),
        74: ("sync", "d"),
        75: ("sync", "d"),  # fdatasync
        2: ("create", "pf"),  # open
        85: ("create", "p"),  # creat
        257: ("create", "dpf"),  # openat
        82: ("rename", "pp"),
        264: ("rename", "dpdp"),
        316: ("rename", "dpdp"),
        86: ("link", "pp"),
        265: ("link", "dpdp"),
        87: ("remove", "p"),
        84: ("remove", "p"),  # rmdir
        263: ("remove", "dp"),
        83: ("mkdir", "p"),
        258: ("mkdir", "dp"),
    },
    "aarch64": {
        64: ("write", "d"),
        68: ("write", "d"),
        66: ("write", "d"),
        70: ("write", "d"),
        287: ("write", "d"),
        71: ("write", "d"),
        285: ("write", "--d"),
        47: ("allocate", "d"),
        46: ("truncate", "dn"),
        45: ("truncate", "pn"),
        82: ("sync", "d"),
        83: ("sync", "d"),
        56: ("create", "dpf"),
        38: ("rename", "dpdp"),
        276: ("rename", "dpdp"),
        37: ("link", "dpdp"),
        35: ("remove", "dp"),
        34: ("mkdir", "dp"),
    },
}
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_* of linux/audit.h
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_AT_FDCWD = -100
# linux/seccomp.h: struct seccomp_notif, struct seccomp_notif_resp and their ioctls.
_ASKED, _REPLY = struct.Struct("=QIIiIQ6Q"), struct.Struct("=QqiI")
_RECEIVE = 3 << 30 | _ASKED.size << 16 | ord("!") << 8
_SEND = 3 << 30 | _REPLY.size << 16 | ord("!") << 8 | 1
_GO_ON = 1

TAKES_SPACE = frozenset({"write", "allocate", "truncate"})


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a file: what is done, and to which path below the folder (of a rename: the new one)."""

    call: str
    path: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended.

    `events` are the changes that were made, or tried on a full disk, in order. `killed` says whether we stopped it.
    `result` is what the program returned; `error` names the classes of the exception that it ended with, from its own
    up to Exception, and then its message; it is empty where there was none.
    """

    events: tuple[Event, ...]
    killed: bool
    result: str
    error: tuple[str, ...]


def why_not() -> str:
    """Why programs cannot be watched on this machine; empty where they can."""
    if not sys.platform.startswith("linux") or platform.machine() not in _CALLS:
        return f"system calls are watched on Linux on {' and '.join(_CALLS)} only, this is {platform.platform()}"
    try:
        run(lambda: "", Path("/nonexistent"))
    except OSError as error:
        return f"this kernel or container does not let system calls be watched (seccomp_unotify: {error})"
    return ""


def run(
    program: Callable[[], str],
    folder: Path,
    *,
    stop_after: int | None = None,
    full_after: int | None = None,
    code: int = errno.ENOSPC,
    before: Callable[[Event, Path], None] | None = None,
) -> Outcome:
    """Runs `program` in a forked child, whose changes below `folder` are counted from 1.

    With `stop_after` the child is killed when that many changes are made, 0 for none; with `full_after` the disk has no
    room for more after that many. With another `code` than that of a full disk, writes then fail with it, and syncs.
    `before` is called ahead of each change with the event and the file as the child has it open, or else its path. The
    caller must have one thread only. Raises OSError where the kernel lacks this.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        if (pid := os.fork()) == 0:
            _child(program, theirs)
        theirs.close()
        message, descriptors, _, _ = socket.recv_fds(ours, 1024, 1)
        if not descriptors:
            os.waitpid(pid, 0)
            raise OSError(message.decode())
        watch = _Watch(pid, descriptors[0], folder, stop_after, full_after, code, before)
        try:
            while watch.answer():
                pass
        finally:
            if watch.killed or sys.exc_info()[0]:
                os.kill(pid, signal.SIGKILL)
            os.close(descriptors[0])  # only now: a held call fails when nobody listens
            written = b"".join(iter(lambda: ours.recv(1 << 16), b""))
            status = os.waitpid(pid, 0)[1]
    if not watch.killed and status:
        raise ChildProcessError(f"the program ended with the wait status {status}")
    result, error = json.loads(written) if written else ("", ())
    return Outcome(tuple(watch.events), watch.killed, result, tuple(error))


def _child(program: Callable[[], str], channel: socket.socket) -> None:
    try:
        listener = _install()
    except OSError as error:
        channel.sendall(str(error).encode())
        os._exit(1)
    socket.send_fds(channel, [b"watched"], [listener])
    os.close(listener)
    try:
        answer: tuple[str, list[str]] = (program(), [])
    except Exception as error:  # noqa: BLE001 - it is handed on whole
        answer = ("", [*(kind.__name__ for kind in type(error).__mro__[:-2]), str(error)])
    channel.sendall(json.dumps(answer).encode())
    os._exit(0)


def _install() -> int:
    """Puts this process below the filter; the descriptor at which each held call is announced."""
    machine = platform.machine()
    numbers = list(_CALLS[machine])
    load, jump, give = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    code = [(load, 0, 0, 4), (jump, 0, len(numbers) + 1, _ARCHITECTURE[machine]), (load, 0, 0, 0)]
    code += [(jump, len(numbers) - at, 0, number) for at, number in enumerate(numbers)]
    code += [(give, 0, 0, 0x7FFF0000), (give, 0, 0, 0x7FC00000)]  # SECCOMP_RET_ALLOW, SECCOMP_RET_USER_NOTIF
    filters = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *one) for one in code))
    program = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(filters)))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
    listener = int(libc.syscall(_SECCOMP[machine], 1, 8, program))  # SET_MODE_FILTER, FILTER_FLAG_NEW_LISTENER
    if listener < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return listener


class _Watch:
    """Answers the held calls of one child, one at a time."""

    def __init__(
        self,
        pid: int,
        listener: int,
        folder: Path,
        stop_after: int | None,
        full_after: int | None,
        code: int,
        before: Callable[[Event, Path], None] | None,
    ) -> None:
        self.events: list[Event] = []
        self.killed = False
        self._listener, self._folder = listener, folder.resolve()
        self._stop_after, self._full_after, self._before = stop_after, full_after, before
        self._code, self._refused = code, TAKES_SPACE if code == errno.ENOSPC else TAKES_SPACE | {"sync"}
        self._poll = select.poll()
        self._poll.register(listener, select.POLLIN)
        self._calls = _CALLS[platform.machine()]

    def answer(self) -> bool:
        """Answers one call; False when the child is gone or is to be killed."""
        if not self._poll.poll()[0][1] & select.POLLIN:
            return False
        asked = bytearray(_ASKED.size)
        try:
            fcntl.ioctl(self._listener, _RECEIVE, asked)
        except FileNotFoundError:  # the thread that asked has just ended
            return True
        number, pid, _, call, _, _, *arguments = _ASKED.unpack(asked)
        event, file = self._event(pid, *self._calls[call], arguments)
        refused = False
        if event:
            if len(self.events) == self._stop_after:
                self.killed = True
                return False
            if self._before:
                self._before(event, file)
            refused = self._full_after is not None and len(self.events) >= self._full_after
            self.events.append(event)
        refused = refused and event is not None and event.call in self._refused
        reply = _REPLY.pack(number, 0, -self._code if refused else 0, 0 if refused else _GO_ON)
        fcntl.ioctl(self._listener, _SEND, reply)
        return True

    def _event(self, pid: int, call: str, shape: str, arguments: list[int]) -> tuple[Event | None, Path]:
        """What a call changes below the folder, if anything, and the file that it changes."""
        place = Path(f"/proc/{pid}/cwd")
        files: list[Path] = []  # as the child names them
        flags = size = None
        for kind, value in zip(shape, arguments, strict=False):
            descriptor = ctypes.c_int(value).value
            if kind == "d":
                place = Path(f"/proc/{pid}/{'cwd' if descriptor == _AT_FDCWD else f'fd/{descriptor}'}")
            elif kind == "p":
                files.append(place.resolve() / os.fsdecode(_text(pid, value)))
            elif kind == "f":
                flags = value
            elif kind == "n":
                size = value
        file = files[-1] if files else place
        path = os.path.realpath(file.parent) + "/" + file.name if files else str(file.readlink())
        if path != str(self._folder) and not path.startswith(f"{self._folder}/"):
            return None, file
        if not _changes(call, files[0] if files else file, flags, size):
            return None, file
        return Event(call, os.path.relpath(path, self._folder)), file


def _changes(call: str, file: Path, flags: int | None, size: int | None) -> bool:
    """Whether the call makes a difference: opening or removing need not."""
    if call == "create" and flags is not None:
        return bool(flags & os.O_TRUNC) or (bool(flags & os.O_CREAT) and not file.exists())
    if call == "mkdir":
        return not file.exists()
    if call in ("remove", "rename", "link"):
        return os.path.lexists(file)
    if call == "truncate" and size is not None:
        return file.stat().st_size != size
    return call == "sync" or not file.exists() or not stat.S_ISFIFO(file.stat().st_mode)


def _text(pid: int, address: int) -> bytes:
    """The zero-ended string at an address of another process."""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        # A string may end just before a page that is not mapped; what was read until there is returned.
        return memory.read(4096).split(b"\0", 1)[0]
