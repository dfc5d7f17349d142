"""The client: many requests at once, each retried, paced and paid for within limits."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any

import openai
from anyio.from_thread import start_blocking_portal
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
    wait_random,
)

from safeeraser import text
from safeeraser.endpoint.budget import Budget
from safeeraser.endpoint.cache import ReplyCache
from safeeraser.endpoint.dialect import Dialect
from safeeraser.endpoint.faults import Fault, read
from safeeraser.endpoint.messages import GO_ON, Request, payload_hash
from safeeraser.endpoint.outcomes import Failure, Outcome, Reply, Usage
from safeeraser.endpoint.replies import ServerError, parse
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.endpoint.transport import RefusedResponseError, asked_wait, client, reachable, told
from safeeraser.errors import UserError
from safeeraser.pixels import ImageError
from safeeraser.progress import ProgressBar
from safeeraser.records import Cost

logger = logging.getLogger(__name__)

_AHEAD = 4  # times `concurrency`: how far replies may run ahead of one that is waited for
_LONGEST_WAIT = 60.0  # that this client chooses by itself
_LONGEST_ASKED = 600.0  # that a server may ask for
_LONGEST_REASON = 300
_SAME_ERRORS = 10  # from all requests so far, after which no more are sent

_ONE_TEMPERATURE = "; generate with temperature=1, judge with temperature=null"

_FINAL = (401, 402, 404)  # no key or a wrong one, no money, no such model: every further request would meet it as well
_PASSING = (408, 409, 425, 429)  # and whatever is 500 or more


class Endpoint:
    """A model on a server. Making one sends nothing."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._cache = ReplyCache(settings.cache)
        self._budget = Budget(settings)
        self._pace = _Pace(settings.requests_per_minute)
        self._server = _Server(settings.url)

    @property
    def spent(self) -> Cost:
        """What the requests of this object cost so far, by the prices given; kept replies cost nothing."""
        return self._budget.spent

    def check(self) -> None:
        """Raise UserError where no server answers, or where it refuses the key."""
        with start_blocking_portal() as portal, portal.wrap_async_context_manager(client(self.settings)) as sender:
            portal.call(reachable, sender, self.settings)

    def complete(
        self,
        requests: Iterable[Request],
        *,
        total: int,
        label: str,
        keep: Callable[[int, Reply], bool] = lambda *_: True,
    ) -> Iterator[Outcome]:
        """One outcome a request, in the order of the requests, as soon as it and all before it are there.

        `requests` is read only a little ahead, so pictures need not fit into memory together. `keep` says whether the
        reply to the n-th request is of use: only then does it go into the cache, or is it taken from there.

        Raises UserError where no server answers or it refuses the key, before the first request is sent, and where
        every request meets the same permanent error: nothing more is sent then. No other failure raises.
        """
        ahead = _AHEAD * self.settings.concurrency
        waiting: deque[Future[Outcome]] = deque()
        with (
            start_blocking_portal() as portal,
            portal.wrap_async_context_manager(client(self.settings)) as sending,
            ProgressBar(label, total) as bar,
        ):
            sender = _Sender(self.settings, sending, self._cache, self._budget, self._pace, self._server, keep)
            for number, request in enumerate(requests):
                waiting.append(portal.start_task_soon(sender.outcome, number, request))
                if len(waiting) >= ahead:
                    yield self._shown(waiting.popleft().result(), bar)
            while waiting:
                yield self._shown(waiting.popleft().result(), bar)

    def _shown(self, outcome: Outcome, bar: ProgressBar) -> Outcome:
        figures = {"cost": self.spent.money} if self.spent.money else {}
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

    def pause(self, seconds: float) -> bool:
        """Send nothing for so long; whether that is longer than known before, by a second or more."""
        until = time.monotonic() + seconds
        longer = until > self._next + 1
        self._next = max(self._next, until)
        return longer


class _Server:
    """What was learnt of a server: the form of request that it takes, and whether asking it is in vain."""

    def __init__(self, url: str) -> None:
        self.dialect = Dialect()
        self._url = url
        self._errors: Counter[str] | None = Counter()  # None once it has answered
        self._stopped: str | None = None

    def check(self) -> None:
        """Raise UserError where nothing more is to be sent."""
        if self._stopped is not None:
            raise UserError(f"{self._url}: {self._stopped}; nothing more is sent")

    def answered(self, sent: dict[str, Any]) -> None:
        """Note that a request was taken."""
        self._errors = None
        self.dialect.answered(sent)

    def failed(self, kind: str, reason: str, *, final: bool = False) -> None:
        """Note a permanent error. Raises UserError where every other request would meet it as well."""
        if final:
            self._stopped = reason
        elif self._errors is not None:
            self._errors[kind] += 1
            if self._errors[kind] == self._errors.total() >= _SAME_ERRORS:
                self._stopped = f"the first {_SAME_ERRORS} requests all met the same error ({reason})"
        self.check()


class _Sender:
    """The state of one call of `complete`, in the thread of its event loop."""

    def __init__(
        self,
        settings: EndpointSettings,
        sender: openai.AsyncOpenAI,
        cache: ReplyCache,
        budget: Budget,
        pace: _Pace,
        server: _Server,
        keep: Callable[[int, Reply], bool],
    ) -> None:
        self._settings, self._client, self._server = settings, sender, server
        self._cache, self._budget, self._pace, self._keep = cache, budget, pace, keep
        self._places = asyncio.Semaphore(settings.concurrency)
        self._start, self._reached = asyncio.Lock(), False

    async def outcome(self, number: int, request: Request) -> Outcome:
        """The kept reply, or one from the server. Raises UserError where asking it is in vain."""
        try:
            payload = await asyncio.to_thread(request.payload, self._settings.model)
        except ImageError as error:
            return Failure("no_image", self._clean(error))
        key = payload_hash(payload)
        kept = self._cache.get(key)
        if kept is not None and self._keep(number, kept):
            return kept
        await self._check_once()
        outcome = await self._sent(request, payload)
        if isinstance(outcome, Reply) and self._keep(number, outcome):
            self._cache.put(key, outcome)
        return outcome

    async def _check_once(self) -> None:
        async with self._start:
            if not self._reached:
                await reachable(self._client, self._settings)
                self._reached = True

    async def _sent(self, request: Request, payload: dict[str, Any]) -> Outcome:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_passes),
            wait=self._wait,
            stop=stop_after_attempt(self._settings.attempts),
            reraise=True,
        )
        try:
            return await retrying(self._attempt, request, payload)
        except UserError:  # a ValueError, too
            raise
        except openai.APIStatusError as error:
            return self._failure(error)
        except (TimeoutError, openai.APITimeoutError):
            return Failure("api_error", f"no reply within {self._settings.timeout:g} s")
        except openai.APIConnectionError as error:
            return Failure("api_error", f"no connection: {self._clean(told(error))}")
        except ServerError as error:
            return self._permanent("an error in place of a completion", error)
        except (ValueError, RefusedResponseError) as error:  # a body that is not JSON, or not a completion
            return self._permanent("not a completion", error)

    def _failure(self, error: openai.APIStatusError) -> Failure:
        status, found, wait = f"status {error.status_code}", read(error.response.text), asked_wait(error)
        reason = f"{status}: {self._clean(found.words or error.response.reason_phrase)}"
        if found.filtered and error.status_code not in _FINAL:  # an account may be closed for what it has asked
            return Failure("filtered", reason)
        if _passes(error):
            return Failure("api_error", reason)
        if error.status_code in (400, 422) and "temperature" in found.words:
            reason += _ONE_TEMPERATURE
        if error.status_code == 404:
            reason += f" (at {error.request.url.path})"
        if wait:
            reason += f" (it asks to wait {wait:.0f} s)"
        final = error.status_code in _FINAL or found.without_money or wait > _LONGEST_ASKED
        self._server.failed(status, reason, final=final)
        return Failure("api_error", reason)

    def _permanent(self, kind: str, error: Exception) -> Failure:
        reason = f"{kind}: {self._clean(error)}"
        found = error.fault if isinstance(error, ServerError) else Fault()
        if found.filtered:
            return Failure("filtered", reason)
        if not found.passing:
            self._server.failed(kind, reason, final=found.without_money)
        return Failure("api_error", reason)

    async def _attempt(self, request: Request, payload: dict[str, Any]) -> Outcome:
        """Send a request, and again in another form where the server refuses the one that it has."""
        async with self._places:
            while True:
                sent = self._server.dialect.adapt(payload)
                try:
                    return await self._send(request, sent)
                except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
                    self._server.dialect.refused(error.status_code, read(error.response.text), sent)
                    if self._server.dialect.adapt(payload) == sent:
                        raise

    async def _send(self, request: Request, body: dict[str, Any]) -> Outcome:
        self._server.check()
        reserved = self._budget.reserve(request)
        if reserved is None:
            return Failure("cost_limit", f"could pass the limit of {self._settings.max_cost:g}: not sent")
        usage: Usage | None = None
        billed = False
        try:
            await self._pace.turn()
            self._server.check()
            async with asyncio.timeout(self._settings.timeout):
                response = await self._create(body)
            billed = True
            completion = parse(response, self._clean_text)
            usage = completion.usage
            self._server.answered(body)
            return completion.outcome
        except (TimeoutError, openai.APITimeoutError, RefusedResponseError):
            billed = True
            raise
        finally:
            self._budget.settle(reserved, usage, billed=billed)

    async def _create(self, body: dict[str, Any]) -> str:
        """The body of the response to a conversation, or to a prompt that is sent as it stands."""
        api = self._client
        create = api.completions if "prompt" in body else api.chat.completions
        known = {name: value for name, value in body.items() if name not in GO_ON}
        more = {name: body[name] for name in GO_ON if name in body}  # which OpenAI's own servers do not have
        response = await create.with_raw_response.create(**known, extra_body=more)
        content: str = response.http_response.text  # in the encoding that it names, else UTF-8
        return content

    def _wait(self, state: RetryCallState) -> float:
        """Seconds before the next attempt: longer each time, and at least what the server asks for, of all requests."""
        first = self._settings.first_wait
        backoff = (wait_exponential(multiplier=first, max=_LONGEST_WAIT) + wait_random(0, first))(state)
        error = state.outcome.exception() if state.outcome is not None else None
        asked = asked_wait(error)
        if asked and self._pace.pause(asked):
            logger.warning("%s asks to wait %.3g s", self._settings.url, asked)
        return max(min(backoff, _LONGEST_WAIT), asked)

    def _clean(self, error: object) -> str:
        """What an error says, in one short line and without the key."""
        return text.line(" ".join(self._clean_text(str(error)).split()))[:_LONGEST_REASON]

    def _clean_text(self, said: str) -> str:
        """The text without the key, should the server have said it back."""
        key = self._settings.key
        return said if key is None else said.replace(key, "[key]")


def _passes(error: BaseException) -> bool:
    """Whether an error passes by itself, in a time that can be waited for."""
    if isinstance(error, ServerError):
        return error.fault.passing and not error.fault.without_money
    if isinstance(error, openai.APIStatusError):
        busy = error.status_code in _PASSING or error.status_code >= 500
        found = read(error.response.text)
        return busy and not (found.without_money or found.filtered) and asked_wait(error) <= _LONGEST_ASKED
    return isinstance(error, TimeoutError | openai.APIConnectionError)
