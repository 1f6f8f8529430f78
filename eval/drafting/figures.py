"""Questions for the number in a regular sentence: "The detector has 9852 channels." asks "How many channels ...?"

A handful of forms that leave no doubt of what the number is a number of. A sentence of another form gives none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant.text.quantities import Quantity, quantities
from assistant.types import Document
from eval.drafting.draft import Draft, Evidence
from eval.drafting.prose import sentences
from eval.metrics.text import normalized

# The third person, the plural, the past, the infinitive.
_VERBS = [
    "has have had have", "contains contain contained contain", "holds hold held hold", "uses use used use",
    "needs need needed need", "requires require required require", "covers cover covered cover",
    "provides provide provided provide", "stores store stored store", "comprises comprise comprised comprise",
    "includes include included include", "serves serve served serve", "supports support supported support",
    "weighs weigh weighed weigh", "costs cost cost cost", "takes take took take", "lasts last lasted last",
]  # fmt: skip
_FORMS = {
    form: (auxiliary, forms.split()[3])
    for forms in _VERBS
    for form, auxiliary in zip(forms.split()[:3], ("does", "do", "did"), strict=True)
}
_BY_MEASURE = {"weigh": "How much", "cost": "How much", "take": "How long", "last": "How long"}
_DONE = """built|founded|released|published|introduced|installed|started|created|launched|completed|established|
    approved|commissioned|discovered|opened|renamed|retired|adopted""".replace("\n    ", "")
_SUBJECT = r"(?P<subject>(?:[A-Z][\w’'.-]*|The|Each|An?)(?: [\w’'./-]+){0,7}?)"
_ASIDE = r"(?:,? (?:\([^()]*\)|[^,;:()]{3,60}),)?"
_ABOUT = r"(?P<about>(?:about|around|more than|over|at least|up to|approximately|nearly|almost|some|roughly) )?"
_IN_YEAR = r"(?:In (?P<year>[12]\d{3}),? )?"
_HAS = re.compile(rf"{_IN_YEAR}{_SUBJECT}{_ASIDE} (?P<verb>{'|'.join(_FORMS)}) {_ABOUT}(?=\d)")
_WITH = re.compile(rf"{_SUBJECT}(?: is|,) an? [^,;:()]{{3,60}}? with {_ABOUT}(?=\d)")
_WHEN = re.compile(
    rf"{_SUBJECT} (?P<verb>was|were) (?:first )?(?P<done>{_DONE}) (?:in|on) (?P<when>[^,;:()]{{4,18}})\."
)
_MEASURE = re.compile(
    r"The (?P<attribute>[a-z][\w-]*(?: [a-z][\w-]*){0,2}) of (?P<subject>[^,;:()]{2,50}?) (?P<verb>is|was) "
    rf"{_ABOUT}(?=\d)"
)
_OTHER = r"(?!(?:and|or|of|in|to|for|with|as|at|on|by|from|than|more|other|times|that|is|was|has|this|its)\b)"
_NOUN = rf" (?P<noun>(?:{_OTHER}[a-z][a-z-]+ ){{0,2}}?(?:{_OTHER}[a-z][a-z-]+s|[A-Z]{{2,}}(?:-hour)?s))(?![\w-])"
# What may follow: the end of the clause, or one more phrase without a number, which the question then needs.
_REST = (
    r"(?P<rest>(?: (?:in|on|at|per|for|from|of|with|to|by|every|each) [^\d,;:()]{1,60}?)?)"
    r"(?:[.;](?:\s|\Z)|,? (?:and|that|which) |, )"
)
_COUNTED = re.compile(_NOUN + _REST)
_MEASURED = re.compile(_REST)
_NO_SUBJECT = re.compile(
    r"\b(?:may|might|can|could|that|which|will|must|should|would|note|also|now|typically|often|usually|it|this|these|we"
    r"|you|they|he|she|there|if|when|and|or|not|one|two|three|others?|both|some|most|many|several)\b",
    re.IGNORECASE,
)
_TIME = re.compile(r"(?:\d{1,2} )?(?:[A-Z][a-z]{2,8} )?(?:\d{1,2}, )?[12]\d{3}")


def from_figures(document: Document) -> Iterator[Draft]:
    """At most one draft a sentence."""
    for start, end, sentence in sentences(document.text):
        if found := asked(sentence):
            question, answers, subject = found
            yield Draft(
                kind="figure",
                question=question,
                answers=answers,
                subject=subject,
                asks=("figure", normalized(question)),
                evidence=Evidence.at(document, start, end),
                documents=(document.key,),
            )


def asked(sentence: str) -> tuple[str, tuple[str, ...], str] | None:
    """The question for the number or time in a sentence, its answers and its subject; None for another sentence."""
    if match := _WHEN.fullmatch(sentence):
        if not _TIME.fullmatch(match["when"]) or _NO_SUBJECT.search(match["subject"]):
            return None
        subject = _within_sentence(match["subject"])
        return f"When {match['verb']} {subject} {match['done']}?", (match["when"],), subject
    numbers = {one.start: one for one in quantities(sentence) if one.unit != "th" and one.text[0].isdigit()}
    for form, write in ((_MEASURE, _what_is), (_HAS, _how_many), (_WITH, _how_many)):
        match = form.match(sentence)
        if match and (number := numbers.get(match.end())) and not _NO_SUBJECT.search(match["subject"]):
            return write(sentence, match, number)
    return None


def _what_is(sentence: str, match: re.Match[str], number: Quantity) -> tuple[str, tuple[str, ...], str] | None:
    if sentence[number.end :] != ".":
        return None
    question = f"What {match['verb']} the {match['attribute']} of {match['subject']}?"
    return question, (f"{match['about'] or ''}{number.text}",), match["subject"]


def _how_many(sentence: str, match: re.Match[str], number: Quantity) -> tuple[str, tuple[str, ...], str] | None:
    found = match.groupdict()
    auxiliary, verb = _FORMS[found.get("verb") or "has"]
    subject, value = _within_sentence(found["subject"]), f"{found['about'] or ''}{number.text}"
    form = _MEASURED if number.unit else _COUNTED
    if not (after := form.match(sentence, number.end)) or (number.unit and verb not in _BY_MEASURE):
        return None
    ends = f"{after['rest']}{' in ' + found['year'] if found.get('year') else ''}?"
    if number.unit:
        return f"{_BY_MEASURE[verb]} {auxiliary} {subject} {verb}{ends}", (value,), subject
    noun = after["noun"]
    return f"How many {noun} {auxiliary} {subject} {verb}{ends}", (value, f"{value} {noun}"), subject


def _within_sentence(subject: str) -> str:
    """The subject as it stands in the middle of a question."""
    return re.sub(r"^(The|Each|An?)\b", lambda match: match[0].lower(), subject)
