"""Multiple-choice questions: MMLU as published (CSV), and MMLU, MMLU-Pro and ARC as they are on the hub.

Hendrycks et al., "Measuring massive multitask language understanding", ICLR 2021; Wang et al., "MMLU-Pro", NeurIPS
2024; Clark et al., "Think you have solved question answering? Try ARC", 2018.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, cast

from eval.runs.about import content_hash

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SHOT_SPLITS = ("dev", "validation", "train")
_FORMATS = {
    "MMLU": {"question", "choices", "answer"},
    "MMLU-Pro": {"question", "options", "answer_index"},
    "ARC": {"question", "choices", "answerKey"},
}
SHOTS = 5
"""Solved examples before each question, where nobody says how many: those of Hendrycks et al."""


@dataclass(frozen=True, slots=True)
class ChoiceQuestion:
    """A question with its choices; `answer` is the index of the right one."""

    id: str
    subject: str
    question: str
    choices: tuple[str, ...]
    answer: int


@dataclass(frozen=True, slots=True)
class ChoiceSet:
    """The questions of one split by subject, and for each subject the solved examples to show first."""

    name: str
    questions: dict[str, tuple[ChoiceQuestion, ...]]
    examples: dict[str, tuple[ChoiceQuestion, ...]]

    def __len__(self) -> int:
        return sum(map(len, self.questions.values()))

    @property
    def sha256(self) -> str:
        """Of all that is asked and shown, whatever file it came from."""
        parts = [
            {subject: [astuple(one) for one in found] for subject, found in part.items()}
            for part in (self.questions, self.examples)
        ]
        return content_hash(parts)


def read(data: str, split: str | None = None, config: str | None = None, shots: int = SHOTS) -> ChoiceSet:
    """A folder with MMLU's CSV (`dev/` and `<split>/`), else a dataset of the hub by name or a folder that holds one.

    `split` is `test` if there is one, else the validation split. The `shots` examples are the first ones of a subject
    in the split `dev`, else `validation`, else `train`. Raises ValueError for what is malformed, naming file and line,
    and where a subject has fewer examples.
    """
    if shots < 0:
        raise ValueError(f"shots is the number of solved examples and at least 0, not {shots}")
    folder = Path(data).expanduser()
    if any(folder.glob("*/*.csv")):
        if config:
            raise ValueError(f"{data} holds MMLU as CSV, which has no configurations; leave out {config!r}.")
        split, questions, pool = _read_csv(folder, split, shots)
    else:
        split, questions, pool = _read_hub(data, split, config, shots)
    examples = {subject: pool.get(subject, ())[:shots] for subject in questions}
    for subject, found in examples.items():
        if len(found) < shots:
            raise ValueError(f"{data} has {len(found)} solved examples of {subject!r}; {shots} are to be shown.")
    ids: set[str] = set()
    for one in (one for of_subject in questions.values() for one in of_subject):
        if one.id in ids:
            raise ValueError(f"{data}: two questions have the id {one.id!r}.")
        ids.add(one.id)
    if not ids:
        raise ValueError(f"{data} holds no questions.")
    name = folder.resolve().name if folder.is_dir() else data
    return ChoiceSet(" ".join(filter(None, (name, config, split))), questions, examples)


_BySubject = dict[str, tuple[ChoiceQuestion, ...]]


def _read_csv(folder: Path, split: str | None, shots: int) -> tuple[str, _BySubject, _BySubject]:
    """`<split>/<subject>_<split>.csv`: question, four choices and the letter of the answer; no header."""
    split = split or ("test" if (folder / "test").is_dir() else "val")
    files = sorted((folder / split).glob(f"*_{split}.csv"))
    if not files:
        there = ", ".join(sorted(path.parent.name for path in folder.glob("*/*.csv")))
        raise ValueError(f"There is no {folder / split}/<subject>_{split}.csv; there are CSV files in: {there}.")
    questions, examples = {}, {}
    for file in files:
        subject = file.name.removesuffix(f"_{split}.csv")
        questions[subject] = tuple(_rows(file, subject))
        solved = folder / "dev" / f"{subject}_dev.csv"
        if shots and not solved.is_file():
            raise ValueError(f"{solved} is missing: it holds the solved examples for {file}.")
        examples[subject] = tuple(_rows(solved, subject)) if shots else ()
    return split, questions, examples


def _rows(file: Path, subject: str) -> Iterator[ChoiceQuestion]:
    with file.open(newline="", encoding="utf-8-sig") as opened:
        rows = csv.reader(opened, strict=True)
        try:
            for number, row in enumerate(rows):
                where = f"{file}, line {rows.line_num}"
                if len(row) != 6:
                    raise ValueError(f"{where}: {len(row)} columns; they are question, A, B, C, D, answer.")
                if row[5] not in ("A", "B", "C", "D"):
                    raise ValueError(f"{where}: the answer is {row[5]!r}; it is to be A, B, C or D.")
                if not row[0].strip():
                    raise ValueError(f"{where}: the question is empty.")
                yield ChoiceQuestion(f"{subject}-{number}", subject, row[0], tuple(row[1:5]), "ABCD".index(row[5]))
        except (csv.Error, UnicodeDecodeError) as error:
            raise ValueError(f"{file}, line {rows.line_num}: {error}.") from error


def _read_hub(data: str, split: str | None, config: str | None, shots: int) -> tuple[str, _BySubject, _BySubject]:
    splits = _load(data, config)
    split = split or ("test" if "test" in splits else "validation")
    if split not in splits:
        raise ValueError(f"{data} has no split {split!r}; it has: {', '.join(splits)}.")
    solved = next((name for name in _SHOT_SPLITS if name in splits and name != split), None)
    if shots and solved is None:
        raise ValueError(f"{data} has no split with solved examples ({', '.join(_SHOT_SPLITS)}) beside {split!r}.")
    subject = config or Path(data).name
    examples = _by_subject(splits[solved], f"{data}, split {solved}", subject) if shots and solved else {}
    return split, _by_subject(splits[split], f"{data}, split {split}", subject), examples


def _load(data: str, config: str | None) -> Mapping[str, Any]:
    from datasets import DatasetDict, disable_progress_bars, load_dataset
    from datasets.exceptions import DatasetGenerationError

    disable_progress_bars()
    folder = Path(data).expanduser()
    try:
        if folder.is_dir():
            files = _files(folder / config if config else folder)
            form = "parquet" if any(".parquet" in name for names in files.values() for name in names) else "json"
            found = load_dataset(form, data_files=files)
        else:
            found = load_dataset(data, config)
    except DatasetGenerationError as error:
        raise ValueError(f"{data} cannot be read: {error.__cause__ or error}") from error
    except (FileNotFoundError, ConnectionError) as error:
        raise ValueError(
            f"{data} is neither a folder with MMLU's CSV files (dev/ and val/ or test/), nor a dataset on this machine "
            f"or at the hub: {error}"
        ) from error
    assert isinstance(found, DatasetDict)
    return cast("Mapping[str, Any]", found)


def _files(folder: Path) -> dict[str, list[str]]:
    """Split -> its files. Left to itself, `datasets` would take `dev` for another name of `validation` and mix them."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in (".parquet", ".jsonl"))
    if not files:
        raise ValueError(f"{folder} holds no <split>.jsonl, no <split>-*.parquet and no MMLU as CSV.")
    if len(configs := sorted({path.parent.name for path in files})) > 1:
        raise ValueError(f"{folder} holds several configurations; choose one: {', '.join(configs)}.")
    found: dict[str, list[str]] = {}
    for path in files:
        found.setdefault(path.stem.partition("-")[0], []).append(str(path))
    return found


def _by_subject(rows: Any, where: str, name: str) -> _BySubject:
    columns = set(rows.column_names)
    form = next((form for form, needed in _FORMATS.items() if needed <= columns), None)
    if form is None:
        wanted = "; ".join(f"{form}: {', '.join(sorted(needed))}" for form, needed in _FORMATS.items())
        there = ", ".join(sorted(columns))
        raise ValueError(f"{where} has the columns {there}, which is none of the formats ({wanted}).")
    found: dict[str, list[ChoiceQuestion]] = {}
    for number, row in enumerate(rows):
        subject = str(row.get("subject") or row.get("category") or name)
        try:
            choices, answer = _choices(form, row)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{where}, row {number + 1}: {error}") from error
        of_subject = found.setdefault(subject, [])
        id = str(row.get("id") or row.get("question_id") or f"{subject}-{len(of_subject)}")
        of_subject.append(ChoiceQuestion(id, subject, str(row["question"]), choices, answer))
    return {subject: tuple(questions) for subject, questions in found.items()}


def _choices(form: str, row: Mapping[str, Any]) -> tuple[tuple[str, ...], int]:
    if form == "ARC":
        labels = list(row["choices"]["label"])
        choices, answer = row["choices"]["text"], labels.index(row["answerKey"]) if row["answerKey"] in labels else -1
    else:
        choices, answer = (row["choices"], row["answer"]) if form == "MMLU" else (row["options"], row["answer_index"])
    if not isinstance(choices, list) or not 2 <= len(choices) <= len(LETTERS):
        raise ValueError(f"the choices are to be a list of 2 to {len(LETTERS)} texts, and are {choices!r}")
    if not isinstance(answer, int) or not 0 <= answer < len(choices):
        raise ValueError(f"the answer is none of the {len(choices)} choices")
    return tuple(map(str, choices)), answer
