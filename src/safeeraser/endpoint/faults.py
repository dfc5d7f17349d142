"""What a server says is wrong, in whichever of the usual forms its errors have."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

_WORDS = ("error", "message", "detail", "msg", "errors")
_LEVELS = 5  # of objects and lists inside of each other
_PASSING = re.compile(r"408|409|425|429|5\d\d|.*(?:rate_?limit|overloaded|unavailable|timeout|server_error).*")
_FILTERED = re.compile(
    r"content.?(?:filter|management|policy|exists)|moderation|flagged|data_inspection|inappropriate content"
    r"|safety (?:filter|system)|usage polic",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, with the parameter that it is about, and the server's code for it; "" where it does not say."""

    words: str = ""
    code: str = ""

    @property
    def passing(self) -> bool:
        """Whether asking again may help, as far as the code tells."""
        return _PASSING.fullmatch(self.code) is not None

    @property
    def filtered(self) -> bool:
        """Whether a filter objects to what this one request holds; others may pass it."""
        return _FILTERED.search(f"{self.code} {self.words}") is not None

    @property
    def without_money(self) -> bool:
        """OpenAI's word for an empty account, under the status for a server that is busy."""
        return self.code == "insufficient_quota"


def read(text: str) -> Fault:
    """What the body of an error says, be it JSON or text."""
    try:
        return fault(json.loads(text))
    except (ValueError, RecursionError):
        return fault(text)


def fault(body: object, levels: int = _LEVELS) -> Fault:
    """What a value out of a body says. A web page says nothing."""
    if isinstance(body, str):
        return Fault("" if body.lstrip().startswith("<") else body.strip())
    if not levels or not isinstance(body, dict | list):
        return Fault()
    inside = body if isinstance(body, list) else [body.get(name) for name in _WORDS]
    said = [found for each in inside if (found := fault(each, levels - 1)) != Fault()]
    if isinstance(body, list):
        return Fault("; ".join(each.words for each in said), next((each.code for each in said), ""))
    inner = said[0] if said else Fault()
    about = _about(body)
    named = not about or re.search(rf"\b{re.escape(about)}\b", inner.words)
    return Fault(inner.words if named else f"{about}: {inner.words}", inner.code or _code(body))


def _about(body: dict[str, object]) -> str:
    """The parameter: OpenAI's `param`, or the end of FastAPI's `loc`."""
    place = body.get("loc")
    about = body.get("param") or (place[-1] if isinstance(place, list) and place else None)
    return about if isinstance(about, str) else ""


def _code(body: dict[str, object]) -> str:
    found = (body.get(name) for name in ("code", "type"))
    return next((str(each) for each in found if isinstance(each, int | str) and each), "")
