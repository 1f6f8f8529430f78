"""Archives as people make them, as broken disks leave them, and as an attacker would."""

from __future__ import annotations

import gzip
import io
import random
import resource
import struct
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.errors import ParseError
from ingest.fetch.archive import unpack

PAPER = {"paper.tex": b"\\documentclass{article}", "figures/fit.eps": bytes(range(256)) * 40, "./notes.md": b"# Notes"}
AS_WRITTEN = {"paper.tex": PAPER["paper.tex"], "figures/fit.eps": PAPER["figures/fit.eps"], "notes.md": b"# Notes"}


def tar_of(files: dict[str, bytes], *more: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=form) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in more:
            tar.addfile(info)
    return packed.getvalue()


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """An empty folder two levels below `tmp_path`, which nothing may leave."""
    (tmp_path / "room/inner").mkdir(parents=True)
    return tmp_path / "room/inner"


def unpacked(data: bytes, room: Path, most_mb: float = 50, most_files: int = 1000) -> dict[str, bytes]:
    archive = room.parents[1] / "archive.gz"
    archive.write_bytes(data)
    paths = unpack(archive, room, most_mb=most_mb, most_files=most_files)
    assert paths == sorted(paths)
    assert {p for p in room.parents[1].rglob("*") if p.is_file() or p.is_symlink()} == {archive, *paths}
    return {str(path.relative_to(room)): path.read_bytes() for path in paths}


def refused(data: bytes, room: Path, most_mb: float = 50, most_files: int = 1000) -> str:
    archive = room.parents[1] / "archive.gz"
    archive.write_bytes(data)
    with pytest.raises(ParseError) as raised:
        unpack(archive, room, most_mb=most_mb, most_files=most_files)
    outside = [p for p in room.parents[1].rglob("*") if not p.is_relative_to(room) and p not in (archive, room.parent)]
    assert outside == []
    assert not [p for p in room.rglob("*") if p.is_symlink()]
    return raised.value.reason


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars(room: Path, form: int) -> None:
    assert unpacked(tar_of(PAPER, special("figures", tarfile.DIRTYPE), form=form), room) == AS_WRITTEN


def test_a_tar_older_than_ustar(room: Path) -> None:
    data = bytearray(tar_of({"paper.tex": b"x" * 700}, form=tarfile.USTAR_FORMAT))
    data[257:265] = bytes(8)  # no magic, as in 1979
    data[148:156] = b" " * 8
    data[148:156] = b"%06o\0 " % sum(data[:512])
    assert unpacked(bytes(data), room) == {"paper.tex": b"x" * 700}


def test_tar_gz(room: Path) -> None:
    assert unpacked(gzip.compress(tar_of(PAPER)), room) == AS_WRITTEN


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zips(room: Path, method: int) -> None:
    assert unpacked(zip_of({**PAPER, "empty/": b""}, method), room) == AS_WRITTEN
    assert unpack_empty(zip_of({}), room.parent / "other") == []


def unpack_empty(data: bytes, folder: Path) -> list[Path]:
    folder.mkdir()
    archive = folder.parent / "empty.zip"
    archive.write_bytes(data)
    return unpack(archive, folder, most_mb=1, most_files=1)


def test_a_single_file_is_called_like_its_archive(room: Path) -> None:
    assert unpacked(gzip.compress(b"\\documentstyle{article}" * 100), room) == {
        "archive": b"\\documentstyle{article}" * 100
    }


def test_a_long_and_a_foreign_name(room: Path) -> None:
    files = {"/".join(["section"] * 30) + "/naïve λ.tex": b"1", "a" * 200 + ".tex": b"2"}
    assert unpacked(tar_of(files), room) == files


def test_the_later_of_two_is_kept(room: Path) -> None:
    twice = tar_of({"a.tex": b"old"})[:1024] + tar_of({"a.tex": b"new"})
    assert unpacked(twice, room) == {"a.tex": b"new"}


OUTSIDE = [
    "../evil",
    "../../evil",
    "a/../../evil",
    "/evil",
    "//server/share/evil",
    "..\\evil",
    "a\\..\\..\\evil",
    "C:\\evil",
    "c:evil",
    "\\\\server\\share\\evil",
    "..",
    "a/..",
]


@pytest.mark.parametrize("name", OUTSIDE)
def test_nothing_is_written_outside(room: Path, name: str) -> None:
    assert refused(tar_of({"good": b"1", name: b"x"}), room) == "corrupt"
    assert refused(zip_of({"good": b"1", name: b"x"}), room) == "corrupt"


LINKS = [
    special("link", tarfile.SYMTYPE, "/etc/passwd"),
    special("link", tarfile.SYMTYPE, "../.."),
    special("link", tarfile.LNKTYPE, "../../archive.gz"),
    special("link", tarfile.CHRTYPE),
    special("link", tarfile.BLKTYPE),
    special("link", tarfile.FIFOTYPE),
]


@pytest.mark.parametrize("link", LINKS, ids=lambda info: f"{info.type!r}-{info.linkname}")
def test_links_and_devices_are_left_out(room: Path, link: tarfile.TarInfo) -> None:
    data = tar_of({"good": b"1"}, link)[: -tarfile.RECORDSIZE + 1536]
    assert unpacked(data + tar_of({"LINK/through": b"2", "link/through": b"3"}), room) == {
        "good": b"1",
        "LINK/through": b"2",
        "link/through": b"3",
    }


def test_links_in_a_zip_are_left_out(room: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "../..")
        archive.writestr("link/through", "2")
    assert unpacked(packed.getvalue(), room) == {"link/through": b"2"}


def test_a_name_that_is_a_file_and_a_folder(room: Path) -> None:
    assert refused(tar_of({"a": b"1", "a/b": b"2"}), room) == "corrupt"
    assert refused(zip_of({"b/c": b"1", "b": b"2"}), room) == "corrupt"


def test_too_many_files(room: Path) -> None:
    many = {f"{i}": b"" for i in range(11)}
    assert refused(tar_of(many), room, most_files=10) == "too_large"
    assert refused(zip_of(many), room, most_files=10) == "too_large"
    folders = [special(f"folder{i}", tarfile.DIRTYPE) for i in range(11)]
    assert refused(tar_of({}, *folders), room, most_files=10) == "too_large"


def test_too_many_bytes(room: Path) -> None:
    noise = random.Random(1).randbytes(1_200_000)
    assert unpacked(zip_of({"a": noise}), room, most_mb=1.21) == {"a": noise}
    for data in (zip_of({"a": noise}), tar_of({"a": noise}), gzip.compress(noise), gzip.compress(tar_of({"a": noise}))):
        assert refused(data, room, most_mb=1.1) == "too_large"


def test_packed_more_densely_than_content_is(room: Path) -> None:
    nothing = bytes(40_000_000)
    assert refused(gzip.compress(nothing), room) == "too_large"
    assert refused(zip_of({"a": nothing}), room) == "too_large"
    assert sum(path.stat().st_size for path in room.rglob("*")) < 2 * 11e6


def test_overlapping_members_count_each_time(room: Path) -> None:
    """One piece of data that many entries of the directory name: each says that it is small."""
    data = zip_of({"0": random.Random(1).randbytes(500_000)}, zipfile.ZIP_STORED)
    start = data.rindex(b"PK\1\2")
    entry, end = data[start : data.rindex(b"PK\5\6")], bytearray(data[data.rindex(b"PK\5\6") :])
    entries = b"".join(entry[:-1] + b"%d" % i for i in range(10))
    end[8:20] = struct.pack("<HHLL", 10, 10, len(entries), start)[:12]
    assert refused(data[:start] + entries + end, room, most_mb=1.1) in ("corrupt", "too_large")
    assert len(list(room.iterdir())) <= 3


def test_a_large_directory_of_a_zip_is_not_read(room: Path) -> None:
    data = zip_of({f"{i:0200}": b"" for i in range(3000)})
    assert refused(data, room, most_files=100) == "too_large"


def test_a_header_of_a_tar_does_not_fill_the_memory(tmp_path: Path) -> None:
    """A name of 2 GB, packed into 2 MB, in a process that has much less memory."""
    header = bytearray(tarfile.TarInfo("././@LongLink").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"%011o\0" % 2_000_000_000
    header[156:157] = tarfile.GNUTYPE_LONGNAME
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    archive = tmp_path / "bomb.gz"
    with gzip.open(archive, "wb", compresslevel=1) as stream:
        stream.write(bytes(header))
        for _ in range(200):
            stream.write(b"a" * 1_000_000)
    code = (
        "import sys; from pathlib import Path; from ingest.fetch.archive import unpack\n"
        "try: unpack(Path(sys.argv[1]), Path(sys.argv[2]), most_mb=50, most_files=10)\n"
        "except Exception as error: print(error)"
    )

    def little_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (400_000_000, 400_000_000))

    run = subprocess.run(
        [sys.executable, "-c", code, archive, tmp_path], capture_output=True, text=True, preexec_fn=little_memory
    )
    assert run.stdout.startswith("too_large: "), run


def test_what_needs_a_password_or_much_memory(room: Path) -> None:
    locked = bytearray(zip_of({"a": b"1"}))
    locked[6] |= 1
    locked[locked.index(b"PK\1\2") + 8] |= 1
    assert refused(bytes(locked), room) == "encrypted"
    assert refused(zip_of({"a": b"1"}, zipfile.ZIP_LZMA), room) == "unsupported"


@pytest.mark.parametrize(("at", "byte"), [(6, 99), (8, 1 << 5)])  # the version that is needed, and "a patch"
def test_a_zip_of_a_form_to_come(room: Path, at: int, byte: int) -> None:
    newer = bytearray(zip_of({"a": b"1"}))
    newer[newer.index(b"PK\1\2") + at] = byte
    assert refused(bytes(newer), room) == "unsupported"


def test_what_is_no_archive(room: Path) -> None:
    assert refused(b"", room) == "empty"
    assert refused(b"%PDF-1.7 ..." * 100, room) == "unsupported"
    assert refused(b"<html>Sign in</html>", room) == "unsupported"


@pytest.mark.parametrize("pack", [tar_of, zip_of, lambda files: gzip.compress(tar_of(files))], ids=["tar", "zip", "gz"])
def test_each_way_to_be_cut_is_seen(room: Path, pack: object) -> None:
    files = {"a.tex": random.Random(2).randbytes(900), "b.tex": random.Random(3).randbytes(600)}
    data = pack(files)  # type: ignore[operator]
    whole = data if data.startswith((b"PK", b"\x1f")) else data.rstrip(b"\0")
    for length in range(1, len(whole), 7):
        assert refused(data[:length], room) in ("corrupt", "unsupported"), length


def test_a_tar_with_a_damaged_header_is_not_half_read(room: Path) -> None:
    data = bytearray(tar_of({"a": b"1" * 512, "b": b"2"}))
    data[1024 + 3] ^= 1  # in the name of the second
    assert refused(bytes(data), room) == "corrupt"


@given(st.data())
@settings(max_examples=150)
def test_flipped_bytes_raise_one_error(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    pack = data.draw(st.sampled_from([tar_of, zip_of, lambda files: gzip.compress(tar_of(files))]))
    packed = bytearray(pack(PAPER))
    for at in data.draw(st.lists(st.integers(0, len(packed) - 1), min_size=1, max_size=5)):
        packed[at] = data.draw(st.integers(0, 255))
    root = tmp_path_factory.mktemp("flipped")
    (root / "inner").mkdir()
    (root / "archive").write_bytes(packed)
    reason = ""
    try:
        unpack(root / "archive", root / "inner", most_mb=1, most_files=10)
    except ParseError as error:
        reason = error.reason
    assert reason in {"", "corrupt", "unsupported", "encrypted", "too_large"}
    assert {path.name for path in root.iterdir()} == {"inner", "archive"}
