"""Whether two texts say opposite things in the same words: "was trained" and "was not trained", "more" and "less"."""

from __future__ import annotations

import re

from assistant.text.terms import STOP_WORDS, stem

_NEGATIONS = """
    not no never none neither nor cannot without nobody nothing nowhere hardly lack lacks lacking fail fails failed
    unable impossible isn aren wasn weren doesn don didn hasn haven hadn won wouldn couldn shouldn can't isn't
    aren't wasn't weren't doesn't don't didn't hasn't haven't hadn't won't wouldn't couldn't shouldn't"""
_CUES = frozenset(_NEGATIONS.split())
_PAIRS = """more/less more/fewer most/least higher/lower highest/lowest larger/smaller largest/smallest greater/smaller
    greater/lesser better/worse best/worst increase/decrease increased/decreased increases/decreases
    increases/reduces faster/slower before/after above/below first/last minimum/maximum longer/shorter
    earlier/later always/never public/private allowed/forbidden enable/disable enabled/disabled with/without
    positive/negative true/false supervised/unsupervised explicit/implicit internal/external possible/impossible
    include/exclude includes/excludes included/excluded start/stop accept/reject"""
_OPPOSITES = [pair.split("/") for pair in _PAIRS.split()]
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?|[.,;:!?()\n|]")
_NEAR = 1
_FAR = 6


def contradicts(sentence: str, quote: str) -> bool:
    """Whether one of the two negates a word that the other asserts, or says the opposite of a word of the other.

    A sentence with a negation contradicts any quote that has none. It is a rule of thumb on words, not on meaning.
    """
    if _opposed(sentence, quote):
        return True
    words = [_content(text) for text in (sentence, quote)]
    if not words[0] & words[1]:
        return False
    near = [_negated(text, _NEAR) for text in (sentence, quote)]
    far = [_negated(text, _FAR) for text in (sentence, quote)]
    if near[0] and not _has_cue(quote):
        return True
    return any((near[i] & words[1 - i]) - far[1 - i] for i in (0, 1))


def _tokens(text: str) -> list[str]:
    return [match[0].lower().replace("’", "'") for match in _WORD.finditer(text)]


def _is_cue(tokens: list[str], i: int) -> bool:
    return tokens[i] in _CUES and tokens[i + 1 : i + 2] not in (["only"], ["just"], ["necessarily"], ["matter"])


def _has_cue(text: str) -> bool:
    tokens = _tokens(text)
    return any(_is_cue(tokens, i) for i in range(len(tokens)))


def _content(text: str) -> set[str]:
    return {stem(word) for word in _tokens(text) if word[0].isalpha() and word not in STOP_WORDS and word not in _CUES}


def _negated(text: str, reach: int) -> set[str]:
    """The stems of the first `reach` content words after each negation in its clause."""
    tokens = _tokens(text)
    found: set[str] = set()
    for i in range(len(tokens)):
        if not _is_cue(tokens, i):
            continue
        scope: list[str] = []
        for word in tokens[i + 1 :]:
            if not word[0].isalpha() or len(scope) == reach:
                break
            if word not in STOP_WORDS:
                scope.append(stem(word))
        found.update(scope)
    return found


def _opposed(sentence: str, quote: str) -> bool:
    first, second = set(_tokens(sentence)), set(_tokens(quote))
    return any(
        (a in first and b in second and a not in second and b not in first)
        or (b in first and a in second and b not in second and a not in first)
        for a, b in _OPPOSITES
    )
