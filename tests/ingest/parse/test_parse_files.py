"""The limited child process: what a hostile file may do, and that the caller only ever sees one error for it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assistant.errors import ParseError, SettingsError
from assistant.settings import IngestSettings
from ingest.parse import Parsed, parse_files

HERE = Path(__file__).parent
SECONDS = 4.0


@pytest.fixture(autouse=True)
def _readers_are_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(HERE))


def limits(seconds: float = SECONDS, workers: int = 2, memory: int = 512) -> IngestSettings:
    readers = {".hostile": "hostile_readers.Loader"}
    return IngestSettings(parse_seconds=seconds, parse_memory_mb=memory, workers=workers, readers=readers)


def read(settings: IngestSettings, *paths: Path) -> list[Parsed | ParseError]:
    answers = list(parse_files(paths, settings))
    assert [path for path, _ in answers] == list(paths)
    return [answer for _, answer in answers]


def reason(answer: Parsed | ParseError) -> str:
    return answer.reason if isinstance(answer, ParseError) else f"text: {answer.text[:60]!r}"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead but not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def hostile(folder: Path, name: str, *acts: str) -> Path:
    path = folder / f"{name}.hostile"
    path.write_text("\n".join(acts))
    return path


def servers_of(pid: int) -> list[int]:
    """Processes of `ingest.parse.child` whose parent is `pid`."""
    listing = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listing.splitlines()]
    return [int(row[0]) for row in rows if int(row[1]) == pid and "ingest.parse.child" in row[2]]


def test_every_misdeed_costs_one_file_and_the_others_are_read(tmp_path: Path) -> None:
    good = tmp_path / "good.md"
    good.write_text("# Good\n\nstill here")
    acts = ["well", "crash", "leave", "stumble", "mumble", "ask", "hoard"]
    paths = [hostile(tmp_path, act, act) for act in acts]
    answers = read(limits(seconds=30), *paths, good)
    assert [reason(answer) for answer in answers[1:4]] == ["corrupt", "corrupt", "corrupt"]
    assert reason(answers[6]) == "too_large"
    assert answers[0] == Parsed("Loaded", "hostile", "# Loaded\n\nby well.hostile\n\nsecond part")
    assert "by mumble.hostile" in reason(answers[4])
    assert "by ask.hostile" in reason(answers[5])
    assert answers[7] == Parsed("Good", "markdown", "# Good\n\nstill here")
    assert "SIGSEGV" in str(answers[1])
    assert "no such part" in str(answers[3])


@pytest.mark.parametrize("act", ["sleep", "spin"])
def test_wall_and_cpu_time_are_limited(tmp_path: Path, act: str) -> None:
    path = hostile(tmp_path, act, act)
    started = time.monotonic()
    [answer] = read(limits(seconds=1), path)
    assert reason(answer) == "timeout"
    assert time.monotonic() - started < 30
    assert not is_alive(int(path.with_suffix(".pid").read_text()))


def test_what_a_parser_started_dies_with_it(tmp_path: Path) -> None:
    stuck, done = hostile(tmp_path, "stuck", "breed", "sleep"), hostile(tmp_path, "done", "breed")
    answers = read(limits(seconds=2), stuck, done)
    assert [isinstance(answer, Parsed) for answer in answers] == [False, True]
    for path in (stuck, done):
        grandchild = int(path.with_suffix(".grandchild").read_text())
        assert wait_until(lambda pid=grandchild: not is_alive(pid)), f"{path.name} left process {grandchild} behind"


def test_an_abandoned_iterator_leaves_no_process(tmp_path: Path) -> None:
    quick, stuck = hostile(tmp_path, "quick", "well"), hostile(tmp_path, "stuck", "breed", "sleep")
    answers = parse_files([quick, stuck], limits(seconds=200))
    next(answers)
    assert wait_until(stuck.with_suffix(".grandchild").exists)
    pids = [int(stuck.with_suffix(end).read_text()) for end in (".pid", ".grandchild")] + servers_of(os.getpid())
    assert len(pids) == 3
    answers.close()  # type: ignore[attr-defined]
    assert wait_until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_no_process_outlives_the_caller(tmp_path: Path, how: signal.Signals) -> None:
    """A script without `if __name__ == "__main__"` that is killed, or interrupted as Ctrl-C does."""
    stuck = hostile(tmp_path, "stuck", "breed", "sleep")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom assistant.settings import IngestSettings\n"
        "from ingest.parse import parse_files\n"
        "settings = IngestSettings(parse_seconds=200, readers={'.hostile': 'hostile_readers.Loader'})\n"
        "for path, answer in parse_files([Path(sys.argv[1])], settings):\n    print(answer)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    caller = subprocess.Popen(
        [sys.executable, script, stuck],
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )
    try:
        assert wait_until(stuck.with_suffix(".grandchild").exists)
        pids = [int(stuck.with_suffix(end).read_text()) for end in (".pid", ".grandchild")] + servers_of(caller.pid)
        assert len(pids) == 3
        caller.send_signal(how)
        assert caller.wait(timeout=20) != 0
        assert wait_until(lambda: not any(map(is_alive, pids)))
    finally:
        caller.kill()


def test_a_script_without_guard_is_run_once(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nwords")
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\nfrom pathlib import Path\nfrom assistant.settings import IngestSettings\n"
        "from ingest.parse import parse_files\nprint('begin')\n"
        "print([answer.title for _, answer in parse_files([Path(sys.argv[1])], IngestSettings())])\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, script, page], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "begin\n['Page']\n"


def test_results_keep_the_order_and_paths_are_taken_some_ahead(tmp_path: Path) -> None:
    taken: list[int] = []

    def endless() -> Iterator[Path]:
        number = 0
        while True:
            path = tmp_path / f"{number}.md"
            path.write_text(f"# {number}")
            taken.append(number)
            yield path
            number += 1

    answers = parse_files(endless(), limits(seconds=30))
    for number in range(400):
        path, answer = next(answers)
        assert (path.name, reason(answer)) == (f"{number}.md", f"text: '# {number}'")
        assert len(taken) <= number + 10 * 16
    answers.close()  # type: ignore[attr-defined]


def test_a_page_that_breaks_its_child_leaves_the_pages_beside_it_alone(tmp_path: Path) -> None:
    """Pages that one child reads: among them one that takes too long, and one that is no text."""
    pages = [tmp_path / f"{number}.md" for number in range(12)]
    for page in pages:
        page.write_text(f"# {page.stem}\n")
    pages[5].write_text("a" + " " * 60_000 + "b")  # each blank could begin those that end the line
    pages[8].write_bytes(b"\x00\x01\x02" * 100)
    answers = read(limits(seconds=1), *pages)
    found = [reason(answer) for answer in answers]
    assert found[5] == "timeout"
    assert found[8] == reason(read(limits(seconds=1), pages[8])[0])
    assert isinstance(answers[8], ParseError)
    assert [found[n] for n in range(12) if n not in (5, 8)] == [f"text: '# {n}'" for n in range(12) if n not in (5, 8)]


def test_a_slow_file_does_not_hold_up_the_others(tmp_path: Path) -> None:
    slow = hostile(tmp_path, "slow", "sleep")
    quick = [hostile(tmp_path, f"quick{number}", "well") for number in range(5)]
    started = time.monotonic()
    answers = parse_files([slow, *quick], limits(seconds=8))
    assert reason(next(answers)[1]) == "timeout"
    assert all(path.with_suffix(".pid").exists() for path in quick)
    assert all(isinstance(answer, Parsed) for _, answer in answers)
    assert time.monotonic() - started < 60


def test_a_slow_consumer_does_not_make_its_files_time_out(tmp_path: Path) -> None:
    big = tmp_path / "big.md"
    big.write_text("words " * 400_000)
    answers = parse_files([big] * 6, limits(seconds=3))
    next(answers)
    time.sleep(5)
    assert [reason(answer)[:6] for _, answer in answers] == ["text: "] * 5


def test_what_needs_no_look_inside_starts_no_process(tmp_path: Path) -> None:
    (tmp_path / "empty.md").touch()
    (tmp_path / "photo.JPG").write_bytes(b"\xff\xd8")
    (tmp_path / "large.txt").write_bytes(b"x" * 2_000_000)
    os.mkfifo(tmp_path / "pipe.txt")
    names = ["empty.md", "photo.JPG", "large.txt", "pipe.txt", "gone.md", "noending"]
    settings = IngestSettings(max_file_mb=1)
    found = []
    for path, answer in parse_files([tmp_path / name for name in names], settings):
        assert servers_of(os.getpid()) == []
        found.append((path.name, reason(answer)))
    reasons = ["empty", "unsupported", "too_large", "unreadable", "unreadable", "unsupported"]
    assert found == list(zip(names, reasons, strict=True))


def test_a_reader_that_cannot_be_imported_is_a_wrong_setting(tmp_path: Path) -> None:
    path = hostile(tmp_path, "a", "well")
    for dotted in ("no_such_package.Reader", "hostile_readers.NoSuchClass", "pathlib.Path"):
        with pytest.raises(SettingsError, match=r"ingest\.readers"):
            list(parse_files([path], IngestSettings(readers={".hostile": dotted})))


def test_llama_index_reader(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"beam": "proton", "energy": 6800}')
    settings = IngestSettings(readers={".json": "llama_index.core.readers.json.JSONReader"})
    broken = tmp_path / "broken.json"
    broken.write_text('{"beam": ')
    answer, refused = read(settings, path, broken)
    assert isinstance(answer, Parsed)
    assert (answer.title, answer.kind) == ("run", "json")
    assert '"energy": 6800' in answer.text
    assert reason(refused) == "corrupt"


OOXML = "http://schemas.openxmlformats.org"


def docx_of(path: Path, size: int) -> None:
    """A docx whose one paragraph holds `size` bytes of text, of which next to nothing is on disk."""
    document = f"{OOXML}/officeDocument/2006/relationships/officeDocument"
    words = (b"words " * 2**18)[: 2**20]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{OOXML}/package/2006/content-types"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{OOXML}/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{document}" Target="word/document.xml"/></Relationships>',
        )
        with archive.open("word/document.xml", "w") as part:
            part.write(f'<w:document xmlns:w="{OOXML}/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>'.encode())
            for _ in range(size // 2**20):
                part.write(words)
            part.write(b"</w:t></w:r></w:p></w:body></w:document>")


def test_zip_bombs(tmp_path: Path) -> None:
    declared, inflating, fine = (tmp_path / f"{name}.docx" for name in ("declared", "inflating", "fine"))
    docx_of(declared, 410 * 2**20)
    docx_of(inflating, 64 * 2**20)
    docx_of(fine, 2**20)
    answers = read(limits(seconds=60, workers=1, memory=400), declared, inflating)
    assert [reason(answer)[:18] for answer in answers] == ["too_large", "too_large"]
    assert reason(read(limits(seconds=60, memory=1536), fine)[0]).startswith("text: 'words words")
    assert "410 MB" in str(answers[0])


def test_a_pdf_that_inflates(tmp_path: Path) -> None:
    """300 kB that unpack to 300 MB of drawing operators."""
    squeeze = zlib.compressobj(9)
    stream = b"".join(squeeze.compress(b"0 0 m 9 9 l S " * 75_000) for _ in range(300)) + squeeze.flush()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 99 99] /Contents 4 0 R /Resources << >> >>",
        b"<< /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    path = tmp_path / "inflating.pdf"
    path.write_bytes(b"%PDF-1.7\n" + b"".join(b"%d 0 obj\n%s\nendobj\n" % item for item in enumerate(objects, 1)))
    [answer] = read(limits(seconds=20, memory=512), path)
    assert reason(answer) in ("too_large", "corrupt", "timeout")
