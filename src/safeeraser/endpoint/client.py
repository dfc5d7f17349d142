"""The client: many requests at once, each retried, paced and paid for within limits."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import openai
from anyio.from_thread import start_blocking_portal
from pydantic import BaseModel, Field
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from safeeraser.endpoint.budget import Budget
from safeeraser.endpoint.cache import ReplyCache
from safeeraser.endpoint.messages import Request, payload_hash
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.errors import UserError
from safeeraser.pixels import ImageError
from safeeraser.progress import ProgressBar

_AHEAD = 4  # times `concurrency`: how far replies may run ahead of one that is waited for
_LONGEST_WAIT = 60.0
_LONGEST_REASON = 300

# What passes by itself. Timeouts are connection errors of this library.
_PASSING = (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError)

# What every further request would meet as well: no key, a wrong one, no such model.
_FINAL = (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError)


class Endpoint:
    """A model on a server. Making one sends nothing."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._cache = ReplyCache(settings.cache)
        self._budget = Budget(settings)
        self._pace = _Pace(settings.requests_per_minute)

    @property
    def spent(self) -> float:
        """What the requests of this object cost so far, by the prices given; kept replies cost nothing."""
        return self._budget.spent

    def check(self) -> None:
        """Raise UserError where no server answers, or where it refuses the key."""
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(_client(self.settings)) as client:
            portal.call(_reachable, client, self.settings)

    def complete(
        self,
        requests: Iterable[Request],
        *,
        total: int,
        label: str,
        keep: Callable[[Reply], bool] = lambda _: True,
    ) -> Iterator[Outcome]:
        """One outcome a request, in the order of the requests, as soon as it and all before it are there.

        `requests` is read only a little ahead, so pictures need not fit into memory together. `keep` says which replies
        may go into the cache: one that cannot be used is better asked for again.
        Raises UserError before the first request is sent where no server answers or it refuses the key; no other
        failure raises.
        """
        ahead = _AHEAD * self.settings.concurrency
        waiting: deque[Future[Outcome]] = deque()
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(_client(self.settings)) as client,
            ProgressBar(label, total) as bar,
        ):
            sender = _Sender(self.settings, client, self._cache, self._budget, self._pace, keep)
            for request in requests:
                waiting.append(portal.start_task_soon(sender.outcome, request))
                if len(waiting) >= ahead:
                    yield self._shown(waiting.popleft().result(), bar)
            while waiting:
                yield self._shown(waiting.popleft().result(), bar)

    def _shown(self, outcome: Outcome, bar: ProgressBar) -> Outcome:
        figures = {"cost": self.spent} if self.spent else {}
        bar.advance(1, **figures)
        return outcome


class _Pace:
    """When requests are sent: at even distances, no more than so many a minute, from one event loop to the next."""

    def __init__(self, requests_per_minute: int | None) -> None:
        self._distance = 60 / requests_per_minute if requests_per_minute else 0.0
        self._next = 0.0

    async def turn(self) -> None:
        """Wait for the next turn and take it."""
        now = time.monotonic()
        turn = max(now, self._next)
        self._next = turn + self._distance
        await asyncio.sleep(turn - now)


class _Sender:
    """The state of one call of `complete`, in the thread of its event loop."""

    def __init__(
        self,
        settings: EndpointSettings,
        client: openai.AsyncOpenAI,
        cache: ReplyCache,
        budget: Budget,
        pace: _Pace,
        keep: Callable[[Reply], bool],
    ) -> None:
        self._settings, self._client = settings, client
        self._cache, self._budget, self._pace, self._keep = cache, budget, pace, keep
        self._places = asyncio.Semaphore(settings.concurrency)
        self._start, self._reached = asyncio.Lock(), False
        self._hopeless: Failure | None = None

    async def outcome(self, request: Request) -> Outcome:
        """The kept reply, or one from the server. Raises UserError where no server answers at the start."""
        try:
            payload = await asyncio.to_thread(request.payload, self._settings.model)
        except ImageError as error:
            return Failure("no_image", self._clean(error))
        key = payload_hash(payload)
        if (kept := self._cache.get(key)) is not None:
            return kept
        await self._check_once()
        outcome = await self._sent(request, payload)
        if isinstance(outcome, Reply) and self._keep(outcome):
            self._cache.put(key, outcome)
        return outcome

    async def _check_once(self) -> None:
        async with self._start:
            if not self._reached:
                await _reachable(self._client, self._settings)
                self._reached = True

    async def _sent(self, request: Request, payload: dict[str, Any]) -> Outcome:
        retrying = AsyncRetrying(
            retry=retry_if_exception_type(_PASSING),
            wait=self._wait,
            stop=stop_after_attempt(self._settings.attempts),
            reraise=True,
        )
        try:
            return await retrying(self._attempt, request, payload)
        except openai.APIStatusError as error:
            said = error.message.removeprefix(f"Error code: {error.status_code} - ")
            failure = Failure("api_error", f"status {error.status_code}: {self._clean(said)}")
            if isinstance(error, _FINAL):
                self._hopeless = failure
            return failure
        except openai.APITimeoutError:
            return Failure("api_error", f"no reply within {self._settings.timeout:g} s")
        except openai.APIConnectionError as error:
            return Failure("api_error", f"no connection: {self._clean(error.__cause__ or error)}")
        except ValueError as error:  # a body that is not JSON, or not a completion
            return Failure("api_error", f"not a completion: {self._clean(error)}")

    async def _attempt(self, request: Request, payload: dict[str, Any]) -> Outcome:
        async with self._places:
            if self._hopeless is not None:
                return self._hopeless
            reserved = self._budget.reserve(request)
            if reserved is None:
                return Failure("cost_limit", f"could pass the limit of {self._settings.max_cost:g}: not sent")
            usage, billed = None, False
            try:
                await self._pace.turn()
                response = await self._client.chat.completions.with_raw_response.create(**payload)
                billed = True
                completion = _Completion.model_validate_json(response.http_response.text)
                usage = completion.used
                return completion.outcome(self._clean_text)
            except openai.APITimeoutError:
                billed = True
                raise
            finally:
                self._budget.settle(reserved, usage, billed=billed)

    def _wait(self, state: RetryCallState) -> float:
        """Seconds before the next attempt: longer each time, and at least what the server asks for."""
        first = self._settings.first_wait
        backoff = (wait_exponential(multiplier=first, max=_LONGEST_WAIT) + wait_random(0, first))(state)
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.response.headers.get("retry-after", "") if isinstance(error, openai.APIStatusError) else ""
        return min(max(backoff, float(asked) if asked.isdecimal() else 0.0), _LONGEST_WAIT)

    def _clean(self, error: object) -> str:
        """What an error says, in one short line and without the key."""
        return " ".join(self._clean_text(str(error)).split())[:_LONGEST_REASON]

    def _clean_text(self, text: str) -> str:
        """The text without the key, should the server have said it back."""
        key = self._settings.key
        return text if key is None else text.replace(key, "[key]")


class _Tokens(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(default=0, ge=0)


class _Said(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Said
    finish_reason: str | None = None


class _Completion(BaseModel):
    """What is needed of a chat completion. Servers differ in everything else."""

    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None

    @property
    def used(self) -> Usage | None:
        return None if self.usage is None else Usage(self.usage.prompt_tokens, self.usage.completion_tokens)

    def outcome(self, clean: Callable[[str], str]) -> Outcome:
        """The reply. Some servers have null for an empty text; with any other finish there was none (a filter)."""
        said, finish = self.choices[0].message.content, self.choices[0].finish_reason or "stop"
        if said is None and finish not in ("stop", "length"):
            return Failure("api_error", f"no text, but finish_reason {clean(finish)[:_LONGEST_REASON]!r}")
        return Reply(text=clean(said or ""), finish_reason=clean(finish), usage=self.used)


def _client(settings: EndpointSettings) -> openai.AsyncOpenAI:
    """The library's client, its own retries off. It wants a key; servers that need none ignore it."""
    return openai.AsyncOpenAI(
        base_url=settings.url, api_key=settings.key or "none", timeout=settings.timeout, max_retries=0
    )


async def _reachable(client: openai.AsyncOpenAI, settings: EndpointSettings) -> None:
    """Raise UserError where no server answers, or where it refuses the key. That it cannot list its models is fine."""
    try:
        await client.get("/models", cast_to=object)
    except openai.APIConnectionError as error:
        reason = str(error.__cause__ or error) or type(error.__cause__ or error).__name__
        raise UserError(f"{settings.url}: no server answers there ({reason})") from None
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        held = "it refuses the key in" if settings.key else "it needs a key, and none is in"
        raise UserError(
            f"{settings.url}: {held} the environment variable {settings.key_variable} (status {error.status_code})"
        ) from None
    except (openai.APIStatusError, ValueError):
        return
