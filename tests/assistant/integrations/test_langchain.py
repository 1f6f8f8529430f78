"""Our retriever by LangChain's own interface: invoke, batch, async, chains, tools, callbacks."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from assistant.answering import Assistant
    from assistant.integrations.langchain import RefdeskRetriever

QUESTION = "How heavy is the calorimeter?"


@pytest.fixture
def retriever(desk: Assistant) -> RefdeskRetriever:
    from assistant.integrations.langchain import RefdeskRetriever

    return RefdeskRetriever(assistant=desk, k=3)


def test_documents_are_the_passages_of_search(desk: Assistant, retriever: RefdeskRetriever) -> None:
    passages = desk.search(QUESTION, 3)
    found = retriever.invoke(QUESTION)
    assert [d.page_content for d in found] == [p.text for p in passages]
    for document, passage in zip(found, passages, strict=True):
        about = document.metadata
        assert (about["source"], about["key"], about["url"]) == (passage.source, passage.key, passage.url)
        assert (about["start"], about["end"], about["page"]) == (passage.start, passage.end, passage.page)
        assert (about["score"], about["rank"], about["revision"]) == (passage.score, passage.rank, passage.revision)
        assert about["section"] == list(passage.section)
        whole = desk.document(passage.source, passage.key)
        assert whole
        assert whole.text[about["start"] : about["end"]] == document.page_content
        json.dumps(about)


def test_ids_tell_passages_apart_and_stay(retriever: RefdeskRetriever) -> None:
    ids = [d.id for d in retriever.invoke(QUESTION, k=24)]
    assert len(set(ids)) == 24
    assert ids == [d.id for d in retriever.invoke(QUESTION, k=24)]


def test_k_by_constructor_and_by_call(desk: Assistant, retriever: RefdeskRetriever) -> None:
    from assistant.integrations.langchain import RefdeskRetriever

    assert [len(RefdeskRetriever(assistant=desk, k=k).invoke(QUESTION)) for k in (1, 3)] == [1, 3]
    assert len(RefdeskRetriever(assistant=desk).invoke(QUESTION)) == 10
    assert [len(retriever.invoke(QUESTION, None, k=k)) for k in (1, 5)] == [1, 5]


def test_filters(desk: Assistant) -> None:
    from assistant.integrations.langchain import RefdeskRetriever

    papers = RefdeskRetriever(assistant=desk, k=24, sources=("papers",)).invoke(QUESTION)
    assert {d.metadata["source"] for d in papers} == {"papers"}
    pdfs = RefdeskRetriever(assistant=desk, k=24, kinds=("pdf",)).invoke(QUESTION)
    assert {d.metadata["kind"] for d in pdfs} == {"pdf"}


def test_wrong_arguments_are_refused(desk: Assistant, retriever: RefdeskRetriever) -> None:
    from assistant.integrations.langchain import RefdeskRetriever

    with pytest.raises(ValueError, match="greater than or equal to 1"):
        RefdeskRetriever(assistant=desk, k=0)
    with pytest.raises(ValueError, match="Assistant"):
        RefdeskRetriever(assistant="library/")
    with pytest.raises(ValueError, match="empty"):
        retriever.invoke("  ")
    with pytest.raises(ValueError, match="at least 1"):
        retriever.invoke(QUESTION, k=0)


def test_batch_and_async_agree_with_invoke(retriever: RefdeskRetriever) -> None:
    questions = [QUESTION, "When does the choir rehearse?", "Which train goes to Vienna?"]
    one_by_one = [retriever.invoke(question) for question in questions]
    assert retriever.batch(questions) == one_by_one
    assert asyncio.run(retriever.abatch(questions)) == one_by_one

    async def both() -> list[Any]:
        return await asyncio.gather(*(retriever.ainvoke(question) for question in questions))

    assert asyncio.run(both()) == one_by_one


def test_in_a_chain_with_a_chat_model(retriever: RefdeskRetriever) -> None:
    from langchain_core.documents import Document
    from langchain_core.language_models import FakeListChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_core.runnables import RunnableLambda, RunnablePassthrough

    seen: list[str] = []

    class Model(FakeListChatModel):
        def _call(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> str:
            seen.append(str(messages[-1].content))
            return super()._call(messages, *args, **kwargs)

    def together(found: list[Document]) -> str:
        return "\n".join(d.page_content for d in found)

    prompt = ChatPromptTemplate.from_template("{context}\n\nQuestion: {question}")
    chain = (
        {"context": retriever | RunnableLambda(together), "question": RunnablePassthrough()}
        | prompt
        | Model(responses=["It weighs 2900 tonnes."])
        | StrOutputParser()
    )
    assert chain.invoke(QUESTION) == "It weighs 2900 tonnes."
    assert "weighs 2900 tonnes.\n" in seen[0]
    assert seen[0].endswith(QUESTION)


def test_as_a_tool_for_an_agent(retriever: RefdeskRetriever) -> None:
    from langchain_core.tools import create_retriever_tool

    tool = create_retriever_tool(retriever, "refdesk", "Searches the collaboration's documents.")
    assert "The tile calorimeter weighs 2900 tonnes." in tool.invoke({"query": QUESTION})


def test_callbacks_see_start_end_and_error(retriever: RefdeskRetriever) -> None:
    from langchain_core.callbacks import BaseCallbackHandler

    events: list[str] = []

    class Watcher(BaseCallbackHandler):
        def on_retriever_start(self, serialized: Any, query: str, **kwargs: Any) -> None:
            events.append(f"start {query}")

        def on_retriever_end(self, documents: Any, **kwargs: Any) -> None:
            events.append(f"end {len(documents)}")

        def on_retriever_error(self, error: BaseException, **kwargs: Any) -> None:
            events.append(f"error {type(error).__name__}")

    retriever.invoke(QUESTION, {"callbacks": [Watcher()]})
    with pytest.raises(ValueError, match="empty"):
        retriever.invoke("", {"callbacks": [Watcher()]})
    assert events == [f"start {QUESTION}", "end 3", "start ", "error ValueError"]
