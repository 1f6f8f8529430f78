"""The benchmarks at a small size: what they count is counted again in another way; no time is held to a limit."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from assistant.library import Library
from assistant.text.passage_text import passage_text
from eval import speed_files, speed_growth, speed_pipelines, speed_search
from eval.cli import commands
from eval.speed import Extent, embedding_lines, measure
from eval.speed_corpus import READERS, Corpus, SentenceMeans
from eval.speed_embedding import EmbeddingSpeed, EmbeddingWay
from eval.speed_process import bytes_written, forget_peak, in_fresh_process, memory
from eval.speed_texts import Texts, documents, read_texts

if TYPE_CHECKING:
    from assistant.embed import Embedder

CHUNKS = 2_000
PROSE = (
    "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they which "
    "detector trigger glacier magnet beam river archive melt column vertex run energy data store grid node cluster "
    "calibration model field pressure sample plot error mass photon track layer wire chamber valve pump ice snow"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Markdown, a BEIR folder and a SQuAD file, of sentences that nobody else wrote."""
    folder = tmp_path_factory.mktemp("data")
    draw = random.Random(1)
    words = PROSE.split()

    def sentence() -> str:
        return " ".join(draw.choice(words) for _ in range(draw.randint(8, 30))).capitalize() + "."

    def text(sentences: int) -> str:
        return " ".join(sentence() for _ in range(sentences))

    (folder / "pages").mkdir()
    for number in range(6):
        (folder / "pages" / f"{number}.md").write_text(f"# Page {number}\n\n{text(30)}\n\n{text(20)}\n")
    rows = [{"_id": str(n), "title": "t", "text": text(12)} for n in range(6)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "1", "text": "Does the glacier melt?"}) + "\n")
    asked = [{"question": f"{sentence()[:-1]}?"} for _ in range(40)]
    squad = {"version": "1", "data": [{"paragraphs": [{"context": text(12), "qas": asked}]}]}
    (folder / "squad.json").write_text(json.dumps(squad))
    (folder / "list.json").write_text('["data"]')
    return folder


@pytest.fixture(scope="module")
def texts(data: Path, tmp_path_factory: pytest.TempPathFactory, embedder: Embedder) -> Texts:
    return read_texts(data, embedder, tmp_path_factory.mktemp("texts"), most_sentences=300, queries=30)


@pytest.fixture(scope="module")
def corpus(texts: Texts) -> Corpus:
    return Corpus(texts, CHUNKS, shelves=3)


@pytest.fixture(scope="module")
def library(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built") / "library"
    speed_search.build(corpus, folder)
    return folder


def all_vectors(corpus: Corpus) -> tuple[list[tuple[str, int]], Any]:
    """Key and start of every chunk, and its vector."""
    import numpy as np

    embedder = SentenceMeans(corpus.texts)
    names, rows = [], []
    for document, chunks in corpus.all_documents():
        names += [(document.key, chunk.start) for chunk in chunks]
        rows += [embedder.embed_passages([passage_text(document.title, (), chunk.text)]) for chunk in chunks]
    return names, np.concatenate(rows)


def test_texts_are_read_from_each_format_and_embedded_once(data: Path, embedder: Embedder, tmp_path: Path) -> None:
    import numpy as np

    first = read_texts(data, embedder, tmp_path, most_sentences=10_000, queries=1_000)
    assert len(first.queries) == 41
    written = " ".join(file.read_text() for file in data.rglob("*") if file.is_file())
    assert len(first.sentences) == len(set(first.sentences)) >= 300
    assert all(sentence in written for sentence in first.sentences)
    assert np.abs(first.vectors[7] - embedder.embed_passages([first.sentences[7]])[0]).max() < 1e-3
    (kept,) = tmp_path.glob("*.npz")
    before = kept.stat().st_mtime_ns
    again = read_texts(data, embedder, tmp_path, most_sentences=10_000, queries=1_000)
    assert (again.vectors == first.vectors).all()
    assert kept.stat().st_mtime_ns == before
    with pytest.raises(ValueError, match="0 questions"):
        read_texts(data / "pages", embedder, tmp_path, most_sentences=100, queries=10)


def test_a_corpus_is_the_same_each_time_and_its_chunks_are_cut_from_its_documents(corpus: Corpus) -> None:
    total = 0
    for number in range(corpus.documents):
        document, chunks = corpus.document(number)
        total += len(chunks)
        assert all(document.text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
        assert document.access.allows({READERS})
        assert not document.access.allows({"others"})
    assert total == CHUNKS
    assert corpus.document(11) == corpus.document(11)
    assert corpus.document(11) != corpus.document(11, revision=1)
    assert len({corpus.document(number)[0].access for number in range(9)}) == 3
    original, copy = (set(corpus.document(n)[0].text.split("\n")) for n in (4, 9))
    assert len(original & copy) > 0.5 * len(original)
    assert original != copy
    others = [replace(corpus, chunks=10), replace(corpus, shelves=1), replace(corpus, seed=1)]
    assert len({corpus.name, *(other.name for other in others)}) == 4


def test_vectors_depend_on_the_text_alone_and_lie_near_their_sentences(corpus: Corpus) -> None:
    import numpy as np

    embedder = SentenceMeans(corpus.texts)
    first, second, third = corpus.texts.sentences[:3]
    together = embedder.embed_passages([f"{first}\n{second}", f"{first}\n{second}", third, "unknown"])
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-6
    assert (together[0] == together[1]).all()
    assert (embedder.embed_query(third) == together[2]).all()
    mean = corpus.texts.vectors[0] + corpus.texts.vectors[1]
    assert together[0] @ mean / np.linalg.norm(mean) > 0.95
    assert together[2] @ corpus.texts.vectors[2] > 0.95


def test_the_threshold_of_recall_is_that_of_sorting_all_cosines(corpus: Corpus) -> None:
    import numpy as np

    _, vectors = all_vectors(corpus)
    tenth = np.sort(corpus.texts.query_vectors @ vectors.T, axis=1)[:, -10]
    assert np.abs(tenth - in_fresh_process(speed_search._tenth_best, corpus)).max() < 1e-6


def test_recall_is_the_share_of_the_true_neighbours(corpus: Corpus, library: Path) -> None:
    import numpy as np

    found = speed_search.search(corpus, library)
    names, vectors = all_vectors(corpus)
    hits = 0
    with Library.open(library).view((READERS,)) as view:
        for query in corpus.texts.query_vectors:
            nearest = {names[n] for n in np.argsort(-(vectors @ query))[:10]}
            passages = view.passages(view.search_dense(query, 10), "dense")
            hits += len(nearest & {(passage.key, passage.start) for passage in passages})
    assert found.recall == pytest.approx(hits / (10 * len(corpus.texts.query_vectors)), abs=0.02)
    assert found.recall > 0.95
    assert found.queries == 30
    assert 0 < found.hybrid.median <= found.hybrid.p99
    assert found.hybrid.median > max(found.lexical.median, found.dense.median)
    assert found.searched.resident >= found.searched.anonymous > 0


def test_recall_falls_where_neighbours_are_missing(corpus: Corpus, library: Path, tmp_path: Path) -> None:
    half = tmp_path / "library"
    speed_search.build(replace(corpus, chunks=CHUNKS // 2), half)
    assert speed_search.search(corpus, half).recall < 0.9


def test_what_was_built_is_counted_and_built_once(corpus: Corpus, library: Path) -> None:
    built = speed_search.build(corpus, library)
    record = library / "built.json"
    before = record.stat().st_mtime_ns
    assert asdict(speed_search.build(corpus, library)) == asdict(built) == json.loads(record.read_text())["built"]
    assert record.stat().st_mtime_ns == before
    with Library.open(library).view((READERS,)) as view:
        assert view.counts() == (built.documents, built.chunks) == (CHUNKS // 10, CHUNKS)
    vectors = CHUNKS * corpus.texts.vectors.shape[1]
    text = sum(len(document.text) for document, _ in corpus.all_documents())
    assert built.bytes_on_disk > 2 * vectors + text / 4
    assert built.seconds > 0


def test_a_commit_changes_a_copy_only(corpus: Corpus, library: Path) -> None:
    before = Library.open(library).generation()
    found = speed_search.commit(corpus, library, documents=20, runs=2)
    assert Library.open(library).generation() == before
    assert [path.name for path in library.parent.iterdir() if path.is_dir()] == ["library"]
    assert (found.documents, found.runs) == (20, 2)
    text = [corpus.document(number)[0].text for number in range(0, corpus.documents, corpus.documents // 20)]
    own = sum(len(one.encode()) for one in text) + 20 * 10 * 2 * corpus.texts.vectors.shape[1]
    assert found.bytes_changed == pytest.approx(own, rel=0.1)
    assert 0 < found.seconds <= found.slowest_seconds
    if on_a_disk(library):
        assert found.bytes_written > found.bytes_changed / 2


def on_a_disk(folder: Path) -> bool:
    before = bytes_written()
    with (folder.parent / "probe").open("wb") as stream:
        stream.write(bytes(2**20))
        os.fsync(stream.fileno())
    return bytes_written() - before >= 2**20


def _take(size: int) -> tuple[int, int, int]:
    forget_peak()
    before = memory()
    taken = bytearray(os.urandom(size))
    del taken
    return os.getpid(), before.peak - before.resident, memory().peak - before.peak


def test_a_fresh_process_measures_its_own_memory() -> None:
    pid, above, grown = in_fresh_process(_take, 2**26)
    assert pid != os.getpid()
    assert above < 2**22
    assert 2**26 <= grown < 2**28


def test_scanning_finds_the_change_and_leaves_nothing(texts: Texts, tmp_path: Path) -> None:
    found = speed_files.scan(texts, 60, tmp_path, runs=2)
    assert (found.files, found.found) == (60, True)
    assert 0 < found.unchanged < found.first
    assert found.searchable > 0
    assert list(tmp_path.iterdir()) == []


def test_indexed_files_are_counted(texts: Texts, tmp_path: Path) -> None:
    found = speed_files.index(texts, 20, tmp_path)
    assert found.files == 20
    assert found.chunks >= 200
    assert 0 < found.memory < 2**30


def test_pipelines_read_the_same_documents_and_only_ours_loses_nothing(
    data: Path, texts: Texts, embedder: Embedder, tmp_path: Path
) -> None:
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    found = {one.pipeline: one for one in speed_pipelines.compare(data, 8, tmp_path, rounds=1)}
    assert {name: one.documents for name, one in found.items()} == dict.fromkeys(speed_pipelines.PIPELINES, 8)
    assert found["refdesk"].lost == 0
    read = list(documents(data))
    random.Random(0).shuffle(read)
    words = [len(embedder.token_starts(text)) for text in read[:8]]
    assert found["refdesk"].tokens >= sum(words)
    pieces = [piece for text in read[:8] for piece in RecursiveCharacterTextSplitter().split_text(text)]
    lengths = [len(embedder.token_starts(piece)) for piece in pieces]
    assert found["langchain"].chunks == len(pieces)
    assert found["langchain"].tokens == sum(min(length, 254) for length in lengths)
    assert found["langchain"].lost == sum(max(length - 254, 0) for length in lengths) > 0
    assert found["llama_index"].lost > 0
    for one in found.values():
        assert 0 < one.embedding_seconds < one.seconds


def test_the_reckoning_is_a_straight_line(corpus: Corpus, library: Path, tmp_path: Path) -> None:
    measured = speed_growth.Size(
        speed_search.build(corpus, library),
        speed_search.search(corpus, library),
        speed_search.commit(corpus, library, documents=5, runs=1),
    )
    built, searched = measured.built, measured.searched
    small = replace(measured, built=replace(built, chunks=1_000, bytes_on_disk=3_000, seconds=36.0))
    large = replace(
        measured,
        built=replace(built, chunks=2_000, bytes_on_disk=5_000, seconds=72.0),
        searched=replace(searched, open_seconds=searched.open_seconds + 1),
    )
    found = speed_growth.reckon([small, large], 101_000)
    assert found.disk == 203_000
    assert found.build_hours == pytest.approx(1.01)
    assert found.open_seconds == pytest.approx(searched.open_seconds + 100)
    with pytest.raises(ValueError, match="two sizes"):
        speed_growth.reckon([small])
    speed_growth.plot([small, large], tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_sizes_grow_tenfold() -> None:
    assert speed_growth.sizes_up_to(1_000_000) == [10_000, 100_000, 1_000_000]
    assert speed_growth.sizes_up_to(5_000) == [5_000]


def run(*arguments: object) -> Any:
    return CliRunner().invoke(commands, ["eval", "speed", *map(str, arguments)])


def table(output: str) -> Sequence[str]:
    return [line for line in output.splitlines() if " at most " in line or " at least " in line]


def test_the_command_prints_a_line_for_each_wish_or_json(data: Path, tmp_path: Path) -> None:
    common = ("search", "shelves-200", "shelves-5000", "--data", data, "--work", tmp_path, "--chunks", 400)
    shown = run(*common)
    assert shown.exit_code == 0, shown.output
    assert "cores" in shown.stdout
    report = json.loads(run(*common, "--json").stdout)
    rows = [line["row"] for line in report["lines"]]
    assert rows == sorted(rows, key=["search", "shelves-200", "shelves-5000"].index)
    assert report["records"]["shelves-200"]["shelves"] == 200
    assert report["records"]["search"]["chunks"] == 400
    assert report["machine"]["cores"] >= 1
    for line in report["lines"]:
        assert (line["met"] is None) == (line["wanted"] == "")


def test_each_wish_is_compared_with_its_figure(data: Path, tmp_path: Path) -> None:
    report = measure(["commit", "memory", "growth"], Extent(data, tmp_path, chunks=1_000, sentences=300, queries=20))
    assert {line.row for line in report.lines} == {"commit", "memory", "growth"}
    for line in report.lines:
        if line.met is not None:
            value, limit = float(line.measured.split()[0]), float(line.wanted.split()[2])
            assert line.met == (value <= limit if "at most" in line.wanted else value >= limit)
    assert (tmp_path / "growth.png").exists()


def test_the_embedder_of_the_settings_is_held_to_the_wish() -> None:
    reference = EmbeddingWay("sentence-transformers", "a-f32", 10, 1000, 50, 1, 1, 1, 0.3)
    fast = EmbeddingWay("int8", "a-int8", 65, 6500, 400, 6.5, 6.1, 6.9, 0.35)
    plain = EmbeddingWay("f32", "a-f32", 12, 1200, 60, 1.2, 1.1, 1.3, 0.4)
    found = EmbeddingSpeed(100, 10_000, 3, {"int8": 1000.0, "bf16": 900.0, "f32": 150.0}, (reference, fast, plain))
    wishes = [(line.measured, line.met) for line in embedding_lines(found, "a-int8") if line.wanted]
    assert wishes == [("6.5 x", True), ("35 %", False)]
    assert [line.met for line in embedding_lines(found, "a-f32") if line.wanted] == [False, True]
    assert len([line for line in embedding_lines(found, "a-int8") if not line.wanted]) == 3


def test_a_row_that_there_is_not_is_named(data: Path, tmp_path: Path) -> None:
    assert run("serach", "--data", data).exit_code == 2
    with pytest.raises(ValueError, match="no row 'serach'"):
        measure(["serach"], Extent(data, tmp_path))
