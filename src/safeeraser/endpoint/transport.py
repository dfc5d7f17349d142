"""The HTTP client: what it sends follows no redirect to another host, and what it reads has an end."""

from __future__ import annotations

import asyncio
import email.utils
import math
import time
from collections.abc import AsyncIterator

import httpx2
import openai

from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.errors import UserError, explained

LARGEST_REPLY = 8 * 2**20
"""Bytes of a reply: far more than any limit of tokens allows."""


class RefusedResponseError(openai.OpenAIError):
    """A response that is not taken: too large, compressed, or sent elsewhere. Asking again would change nothing."""


def client(settings: EndpointSettings) -> openai.AsyncOpenAI:
    """The library's client, its own retries off: each attempt has its place, its pace and its cost.

    It wants a key; servers that need none ignore it.
    """
    with explained(f"{settings.url}: no client for it (the environment names proxies and certificates)"):
        http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [_guard]})
    return openai.AsyncOpenAI(
        base_url=settings.url,
        api_key=settings.key or "none",
        timeout=settings.timeout,
        max_retries=0,
        default_headers={"Accept-Encoding": "identity"},
        http_client=http,
    )


async def reachable(sender: openai.AsyncOpenAI, settings: EndpointSettings) -> None:
    """Raise UserError where no server answers, or where it refuses the key. That it cannot list its models is fine."""
    try:
        async with asyncio.timeout(settings.timeout):
            await sender.get("/models", cast_to=object)
    except TimeoutError:
        raise UserError(f"{settings.url}: no server answers there (nothing within {settings.timeout:g} s)") from None
    except openai.APIConnectionError as error:
        raise UserError(f"{settings.url}: no server answers there ({told(error)})") from None
    except RefusedResponseError as error:
        raise UserError(f"{settings.url}: {error}") from None
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        held = "it refuses the key in" if settings.key else "it needs a key, and none is in"
        raise UserError(
            f"{settings.url}: {held} the environment variable {settings.key_variable} (status {error.status_code})"
        ) from None
    except (openai.APIStatusError, ValueError, RecursionError):
        return


def told(error: BaseException) -> str:
    """What the cause of an error says, or the cause behind it; of a silent one its name."""
    cause = deepest = error.__cause__ or error
    while not str(deepest) and (deepest.__cause__ or deepest.__context__):
        deepest = deepest.__cause__ or deepest.__context__ or deepest
    return str(deepest) or type(cause).__name__


def asked_wait(error: BaseException | None) -> float:
    """Seconds that a server asks to wait before the next attempt, as a number or a date; 0 where it does not."""
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    try:
        milliseconds = headers.get("retry-after-ms")
        seconds = _seconds(headers.get("retry-after", "")) if milliseconds is None else float(milliseconds) / 1000
    except (ValueError, OverflowError):
        return 0.0
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _seconds(value: str) -> float:
    date = email.utils.parsedate_tz(value)
    return email.utils.mktime_tz(date) - time.time() if date else float(value)


async def _guard(response: httpx2.Response) -> None:
    """Refuse what leads elsewhere or is too large, and let the body be read only so far."""
    if response.has_redirect_location:
        here, there = response.request.url, response.request.url.join(response.headers["location"])
        secured = (here.scheme, there.scheme, here.host) == ("http", "https", there.host)
        if not secured and (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
            raise RefusedResponseError(f"it redirects to another server ({there.host}), which is not followed")
        if response.request.method == "POST" and response.status_code not in (307, 308):
            raise RefusedResponseError(f"it redirects to {there}, where what was sent would not arrive")
    if response.headers.get("content-encoding", "identity").lower() not in ("", "identity"):
        raise RefusedResponseError("its reply is compressed, which was not asked for")
    response.stream = _Limited(response.stream)


class _Limited(httpx2.AsyncByteStream):
    def __init__(self, stream: object) -> None:
        assert isinstance(stream, httpx2.AsyncByteStream)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > LARGEST_REPLY:
                raise RefusedResponseError(f"its reply is larger than {LARGEST_REPLY // 2**20} MiB")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()
