"""Whether an answer means anything: emptiness, garbage, loops and invented words. Each rule has a fixed threshold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

from safeeraser.judges.rules.text import shorten, word_set, words

MIN_LETTER_SHARE = 0.5  # of the visible characters, Markdown's marks left aside
MAX_CONTROL_SHARE = 0.2  # control, unassigned and replacement characters
MIN_RUN = 10  # equal characters in a row ...
MIN_RUN_SHARE = 0.5  # ... that make up this much of the answer
MAX_LOOP_PHRASE = 12  # words in a phrase that repeats
MIN_LOOP_COPIES = 3  # of a phrase; 4 of a single word
MIN_LOOP_SHARE = 0.5  # of all words
MIN_WORDS_FOR_VARIETY = 15
MIN_VARIETY = 0.5  # distinct word triples / word triples
MAX_NONWORD_SHARE = 0.5  # of the words that can be told
MAX_WORD_LETTERS = 30
MAX_SCRIPTS = 2
MAX_WORDS = 2_000

_EMPTY_WORDS = word_set("a an the of to and or is are was were be am it its that this with for as by at i")
_MARKDOWN = re.compile(r"[\s|*#>`_~=+-]+")
_RUN = re.compile(rf"(.)\1{{{MIN_RUN - 1},}}", re.DOTALL)
_LOOP_IN_WORD = re.compile(r"(\w{1,6}?)\1{3,}")
_NUMBER = re.compile(r"\d+(?:[a-z]{1,3})?|[a-z]{1,4}\d{1,4}")
_NO_VOWEL_WORDS = word_set("hmm shh psst tsk brr pfft nth mrs ltd tv pdf html css xml sql http www")
_VOWEL = re.compile(r"[aeiouy]")
# Letter pairs (and one long run) that English words do not have. Rare loans break it, so it takes more than half.
_UNHEARD = re.compile(
    r"q[^aeiu]|j[^aeiouy']|v[^aeiouyrlsv']|[bcdfghjklmpqstvwxz]x|x[bdgjknrvxz]|z[bcdfgjkmnpqrstvx]"
    r"|[kwx]q|w[jqvxz]|[cfgkmpqvwxz]j|[fhjpqvw]z|[cfghkmpqx]v|[^aeiouy']{7}"
)
_EAST_ASIAN = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})


def find_meaningless(text: str, reference: str = "") -> str | None:
    """The rule that makes plain text meaningless and what it saw, or None.

    An answer with the words of the reference is never meaningless, however short or odd they are.
    """
    tokens = words(text)[:MAX_WORDS]
    if tokens and tokens == words(reference):
        return None
    findings = (rule(text, tokens) for rule in _RULES)
    return next((finding for finding in findings if finding), None)


def _empty(text: str, _tokens: Sequence[str]) -> str | None:
    return None if text.strip() else "empty"


def _no_words(text: str, tokens: Sequence[str]) -> str | None:
    return None if tokens else f"no words: {shorten(text)}"


def _broken_characters(text: str, _tokens: Sequence[str]) -> str | None:
    """Characters no reader can read: control, unassigned, private and U+FFFD."""
    visible = [char for char in text if not char.isspace()]
    broken = sum(char == "\ufffd" or unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") for char in visible)
    return f"broken characters: {broken} of {len(visible)}" if broken > MAX_CONTROL_SHARE * len(visible) else None


def _few_letters(text: str, _tokens: Sequence[str]) -> str | None:
    kept = _MARKDOWN.sub("", text)
    letters = sum(char.isalnum() or unicodedata.category(char) in ("Mn", "Mc") for char in kept)
    return f"few letters: {letters} of {len(kept)} characters" if letters < MIN_LETTER_SHARE * len(kept) else None


def _one_character(text: str, _tokens: Sequence[str]) -> str | None:
    longest = max(_RUN.finditer(text), key=lambda match: len(match.group()), default=None)
    if longest is None or len(longest.group()) < MIN_RUN_SHARE * len(text):
        return None
    return f"one character: {longest.group(1)!r} {len(longest.group())} times"


def _no_content(text: str, tokens: Sequence[str]) -> str | None:
    return f"no content word: {shorten(text)}" if _EMPTY_WORDS.issuperset(tokens) else None


def _loop(_text: str, tokens: Sequence[str]) -> str | None:
    """A phrase said over and over, for half of the answer or more."""
    for size in range(1, MAX_LOOP_PHRASE + 1):
        start, copies = _longest_loop(tokens, size)
        if copies >= MIN_LOOP_COPIES + (size == 1) and copies * size >= MIN_LOOP_SHARE * len(tokens):
            return f"loop: {shorten(' '.join(tokens[start : start + size]))} {copies} times"
    return None


def _longest_loop(tokens: Sequence[str], size: int) -> tuple[int, int]:
    """Where the phrase of `size` words that repeats most often in a row begins, and how many copies there are."""
    best_start, best, run = 0, 0, 0
    for index in range(len(tokens) - size):
        run = run + 1 if tokens[index] == tokens[index + size] else 0
        if run > best:
            best_start, best = index - run + 1, run
    return best_start, best // size + 1


def _little_variety(_text: str, tokens: Sequence[str]) -> str | None:
    if len(tokens) < MIN_WORDS_FOR_VARIETY:
        return None
    triples = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    distinct = len(set(triples))
    return (
        f"little variety: {distinct} of {len(triples)} word triples" if distinct < MIN_VARIETY * len(triples) else None
    )


def _mixed_scripts(text: str, _tokens: Sequence[str]) -> str | None:
    """Tokens of three alphabets or more side by side, as collapsed multilingual models give."""
    scripts = {_script(char) for char in set(text) if char.isalpha()}
    return f"mixed scripts: {', '.join(sorted(scripts))}" if len(scripts) > MAX_SCRIPTS else None


def _script(char: str) -> str:
    name = unicodedata.name(char, "UNKNOWN").split()[0]
    return "EAST-ASIAN" if name in _EAST_ASIAN else name


def _no_words_of_any_language(_text: str, tokens: Sequence[str]) -> str | None:
    told = [(token, known) for token in tokens if (known := _looks_like_a_word(token)) is not None]
    strange = [token for token, known in told if not known]
    if len(strange) <= MAX_NONWORD_SHARE * len(told):
        return None
    return f"invented words: {shorten(' '.join(strange))}, {len(strange)} of {len(told)}"


def _looks_like_a_word(token: str) -> bool | None:
    """None where it cannot be told: one or two letters, and alphabets other than Latin."""
    if not token.isascii():
        return None
    if _NUMBER.fullmatch(token) or token in _NO_VOWEL_WORDS:
        return True
    if len(token) <= 2:
        return None
    if len(token) > MAX_WORD_LETTERS or any(char.isdigit() for char in token):
        return False
    return bool(_VOWEL.search(token)) and not _UNHEARD.search(token) and not _LOOP_IN_WORD.search(token)


_Rule = Callable[[str, Sequence[str]], str | None]
_RULES: tuple[_Rule, ...] = (
    _empty,
    _no_words,
    _broken_characters,
    _few_letters,
    _one_character,
    _no_content,
    _loop,
    _little_variety,
    _mixed_scripts,
    _no_words_of_any_language,
)
