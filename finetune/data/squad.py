"""SQuAD: questions on paragraphs of encyclopedia articles, in version 2.0 with questions that none answers.

Rajpurkar et al., arXiv:1606.05250, 2016, and "Know what you don't know", arXiv:1806.03822, 2018. An article is one
document, whose paragraphs are joined by empty lines.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistant.types import Document
from finetune.data.asked import Asked, Key, Place, Questions
from ingest.documents import document

SOURCE = "squad"


def read_squad(files: Sequence[Path]) -> Questions:
    """The questions of SQuAD files; an article that stands in several counts once.

    Raises ValueError that names the file for one that is not SQuAD's JSON, or in which an answer does not stand where
    it should; and where there is no question.
    """
    documents: dict[Key, Document] = {}
    asked: list[Asked] = []
    for file in files:
        try:
            articles = json.loads(file.read_text(encoding="utf-8"))["data"]
            for article in articles:
                title = article["title"].replace("_", " ")
                if (SOURCE, title) not in documents:
                    documents[SOURCE, title] = document(SOURCE, title, title, _text(article))
                    asked += _questions(article, title)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"{file} is not in the format of SQuAD: {type(error).__name__}: {error}.") from error
    if not asked:
        raise ValueError(f"There is no question in {', '.join(map(str, files)) or 'a folder without a .json file'}.")
    return Questions(tuple(asked), documents)


def _text(article: dict[str, Any]) -> str:
    return "\n\n".join(paragraph["context"] for paragraph in article["paragraphs"])


def _questions(article: dict[str, Any], title: str) -> list[Asked]:
    found, offset = [], 0
    for paragraph in article["paragraphs"]:
        context = paragraph["context"]
        whole = Place(SOURCE, title, offset, offset + len(context))
        for qa in paragraph["qas"]:
            if qa.get("is_impossible", False):
                found.append(Asked(str(qa["id"]), qa["question"].strip(), about=(whole,), answerable="no"))
                continue
            if not qa["answers"]:
                raise ValueError(f"question {qa['id']} has no answer and is not marked as impossible")
            spans = {(answer["answer_start"], answer["text"]): None for answer in qa["answers"]}
            for start, text in spans:
                if context[start : start + len(text)] != text:
                    raise ValueError(f"question {qa['id']}: {text!r} does not stand at {start} of its paragraph")
            places = tuple(Place(SOURCE, title, offset + start, offset + start + len(text)) for start, text in spans)
            texts = tuple(dict.fromkeys(text for _, text in spans))
            found.append(Asked(str(qa["id"]), qa["question"].strip(), texts, places))
        offset += len(context) + 2
    return found
