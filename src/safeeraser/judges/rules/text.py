"""An answer as the rules read it: plain text, sentences, words, and when two words are the same word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

MAX_CHARACTERS = 20_000
"""What lies beyond is not read: a model that rambles on has shown by then what it does."""


def word_set(text: str) -> frozenset[str]:
    """The words of a text parted by spaces."""
    return frozenset(text.split())


FUNCTION_WORDS = word_set(
    "a an the of to and or is are was were be been am it its it's that that's this these those there there's here "
    "with for as by at from in on into i you he she they we s"
)
_ARTICLES = frozenset({"a", "an", "the"})
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_TAG = re.compile(r"</?[a-zA-Z|][^<>\n]{0,80}>")
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_LIST_MARK = re.compile(r"\d{1,2}[.)]$")
_STRAIGHT = str.maketrans({"‘": "'", "’": "'", "ʼ": "'", "`": "'", "“": '"', "”": '"', "„": '"'})
_IRREGULAR = {
    "people": "person",
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "feet": "foot",
    "teeth": "tooth",
    "geese": "goose",
    "dice": "die",
}
_SPELLINGS = {"gray": "grey", "center": "centre", "color": "colour", "upper": "top", "lower": "bottom"}
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_SAME = _SPELLINGS | {word: str(number) for number, word in enumerate(_NUMBERS)}


def plain(answer: str) -> str:
    """The first 20,000 characters as a reader sees them.

    Compatibility characters are folded (NFKC) and quotes straightened; terminal escapes, tags such as `<b>` or
    `<|im_end|>`, and invisible characters are left out. Line breaks stay, for they part list items.
    """
    text = unicodedata.normalize("NFKC", answer[:MAX_CHARACTERS])[:MAX_CHARACTERS].translate(_STRAIGHT)
    text = _TAG.sub(" ", _ANSI.sub("", text))
    text = "".join(char for char in text if char == "\n" or unicodedata.category(char) != "Cf")
    return re.sub(r"[^\S\n]+", " ", text).strip()


def sentences(text: str) -> list[str]:
    """Sentences and list items, in order. A list number stays with its item."""
    result: list[str] = []
    for piece in _SENTENCE_END.split(text):
        if result and _LIST_MARK.fullmatch(result[-1]):
            result[-1] += f" {piece}"
        elif piece:
            result.append(piece)
    return result


def words(text: str) -> list[str]:
    """Lower-case words and numbers in order; an apostrophe inside a word belongs to it."""
    return _WORD.findall(text.lower())


def without_articles(tokens: Iterable[str]) -> list[str]:
    """All words but a, an and the."""
    return [token for token in tokens if token not in _ARTICLES]


def same_word(one: str, other: str) -> bool:
    """Whether two lower-case words are the same but for number (box, boxes), spelling (gray) or digits (3, three)."""
    return not _forms(one).isdisjoint(_forms(other))


def occurrences(phrase: Sequence[str], tokens: Sequence[str]) -> Iterator[int]:
    """Where the phrase stands among the tokens as whole words in a row: the index of its first word."""
    length = len(phrase)
    for start in range(len(tokens) - length + 1 if phrase else 0):
        if all(map(same_word, phrase, tokens[start : start + length])):
            yield start


def names(text: str, thing: str) -> bool:
    """Whether the text names the thing, as whole words in a row."""
    return next(occurrences(words(thing), words(text)), None) is not None  # the first place may be 0


def compile_all(**rules: str) -> dict[str, re.Pattern[str]]:
    """Patterns by the name that reasons give them, which has spaces for underscores. Case is ignored."""
    return {name.replace("_", " "): re.compile(rule, re.IGNORECASE) for name, rule in rules.items()}


def first_match(rules: Mapping[str, re.Pattern[str]], sentence: str) -> str | None:
    """Name of the first rule found in the sentence, and what it matched."""
    for name, pattern in rules.items():
        if match := pattern.search(sentence):
            return f"{name}: {shorten(match.group())}"
    return None


def all_matches(rules: Mapping[str, re.Pattern[str]], sentence: str) -> list[tuple[str, str]]:
    """Names of the rules found in the sentence, and what each matched first."""
    return [(name, match.group()) for name, pattern in rules.items() if (match := pattern.search(sentence))]


def shorten(text: str, limit: int = 60) -> str:
    """Text for a reason: one line, quoted, not too long."""
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= limit else f"{flat[: limit - 3]}...")


@lru_cache(maxsize=10_000)
def _forms(word: str) -> frozenset[str]:
    """The word and what it may be the plural of."""
    word = word.removesuffix("'s")
    word = _SAME.get(word, word)
    forms = {word, _IRREGULAR.get(word, word)}
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        forms.add(word[:-1])
        if word.endswith(("ches", "shes", "xes", "ses", "zes", "oes")):
            forms.add(word[:-2])
        if word.endswith("ies"):
            forms.add(f"{word[:-3]}y")
        if word.endswith("ves"):
            forms |= {f"{word[:-3]}f", f"{word[:-3]}fe"}
    return frozenset(forms)
