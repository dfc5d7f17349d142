"""What requests cost, and a limit that is not passed."""

from __future__ import annotations

from safeeraser.endpoint.messages import Request
from safeeraser.endpoint.outcomes import Usage
from safeeraser.endpoint.settings import EndpointSettings
from safeeraser.records import Cost

_MILLION = 1_000_000


class Budget:
    """Costs so far, in the currency of the prices. What is under way counts at the most it may come to.

    `spent` counts the requests that a server may charge for: those with a reply, and those that nobody waited for.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self._reserved = 0.0
        self._dearest = 0.0
        self.spent = Cost()

    def reserve(self, request: Request) -> float | None:
        """Set aside what a request may cost; None, and nothing set aside, where that could pass the limit."""
        most = self._cost(request.text_bytes, request.max_tokens or 0)
        if request.max_tokens is None or any(message.image for message in request.messages):
            most = max(most, self._dearest)
        limit = self._settings.max_cost
        if limit is not None and self.spent.money + self._reserved + most > limit:
            return None
        self._reserved += most
        return most

    def settle(self, reserved: float, usage: Usage | None, *, billed: bool) -> None:
        """Replace what was set aside by what it came to: all of it where it may have been billed, but nobody says."""
        self._reserved -= reserved
        if usage is not None:
            cost = self._cost(usage.input_tokens, usage.output_tokens)
            self._dearest = max(self._dearest, cost)
            self.spent += self._one(cost, counted=1, input_tokens=usage.input_tokens, output_tokens=usage.output_tokens)
        elif billed:
            self.spent += self._one(reserved)

    def _one(self, money: float, **tokens: int) -> Cost:
        priced = self._settings.input_price > 0 or self._settings.output_price > 0
        return Cost(requests=1, priced=int(priced), money=money, **tokens)

    def _cost(self, inputs: int, outputs: int) -> float:
        return (inputs * self._settings.input_price + outputs * self._settings.output_price) / _MILLION
