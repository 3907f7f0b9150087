"""The cost calculator: for applications that say themselves what a call uses, and want to know its price at once."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from reamon.collectors.call_costs import Ledger
from reamon.collectors.paid_calls import paid_calls
from reamon.collectors.price_book import INFRASTRUCTURE, PriceBook
from reamon.collectors.rates import Rates
from reamon.errors import CostError
from reamon.model import CostData, Usage
from reamon.model.cost import EXACT, STATED, exact, summed
from reamon.tracing import ActiveSpan, NoopSpan, current_span, enter, innermost, leave, start_span

PROFILE: Final = "reautomation2"
TOKENS_PER_MESSAGE: Final = (70, 30)
"""Input and output tokens that a message still to come is taken for."""

_CATEGORIES: Final = ("llm", "tts", "stt", "twilio", "infrastructure")
_VOICES: Final = {"local": "piper", "premium": "elevenlabs"}
_MOST: Final = Decimal(10) ** 15
"""More than that of anything is a mistake, and not what a call used."""

Number = Decimal | int | float | str


class CostCalculator:
    """Calculates what calls cost while they go on.

    Each amount is recorded on the current span, as a cost that the application states; where none is current, or one of
    another call is, on a span of its own. So what is calculated here should not be recorded as usage too, or it is paid
    for twice: see docs/costs.md.

    Every method is synchronous and takes the call's id first; without one there is a CostError. A call begins with the
    first that is heard of it; what is paid for each call is charged then. All amounts are Decimal, in USD.

    Args:
        rates: A price book, or what one is made of: rates of your own, or a file of them. REAutomation2's by default.
        record: Whether amounts are recorded on spans.
        max_calls: How many calls are remembered.
        max_age: Seconds after which a call of which nothing is heard is forgotten.
        now: The clock that `max_age` is measured with; injected by tests.

    Raises:
        ConfigurationError: The rates cannot be used.

    Example:
        >>> costs = CostCalculator()
        >>> costs.calculate_llm_cost("call-1", "openai-gpt-4", 1000, 200)
        Decimal('0.036000000000')
        >>> costs.calculate_twilio_cost("call-1", 2.5, sms_count=1)
        Decimal('0.028750000000')
        >>> costs.finalize_call_costs("call-1")["total"]
        Decimal('0.065750000000')
    """

    def __init__(
        self,
        rates: PriceBook | Rates | Path | str | None = None,
        *,
        record: bool = True,
        max_calls: int = 10_000,
        max_age: float = 86_400.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        if rates is None:
            rates = PriceBook(profile=PROFILE, model_prices=False)
        self.book = rates if isinstance(rates, PriceBook) else PriceBook(rates)
        self._record = record
        self._ledger = Ledger(_CATEGORIES, max_calls=max_calls, max_age=max_age, now=now)

    def initialize_call_costs(self, call_id: str) -> dict[str, Decimal]:
        """Begin a call: what is paid for each call is charged now. A call that has begun stays as it is.

        Returns:
            The call's costs so far, as `get_call_cost_breakdown` has them.
        """
        self._open(call_id)
        return self.get_call_cost_breakdown(call_id)

    def calculate_llm_cost(self, call_id: str, provider: str, input_tokens: int, output_tokens: int) -> Decimal:
        """What a model call costs.

        Args:
            call_id: The call.
            provider: Who runs which model, as the rates name it: "ollama", "openai-gpt-4", "openai-gpt-3.5",
                "provider/model".
            input_tokens: Tokens of the prompt.
            output_tokens: Tokens of the answer.

        Raises:
            CostError: No price is known for the provider, or a number is none.
        """
        where = "calculate_llm_cost()"
        used = {
            "input_tokens": _count(where, "input_tokens", input_tokens),
            "output_tokens": _count(where, "output_tokens", output_tokens),
        }
        return self._charge(call_id, "llm", "llm", self._price(where, provider, "llm", used))

    def calculate_tts_cost(self, call_id: str, provider: str, characters: int) -> Decimal:
        """What speech synthesis costs.

        Args:
            call_id: The call.
            provider: Who speaks: "elevenlabs", "piper", "coqui", "local".
            characters: Characters of text.

        Raises:
            CostError: No price is known for the provider, or the number is none.
        """
        where = "calculate_tts_cost()"
        used = {"characters": _count(where, "characters", characters)}
        return self._charge(call_id, "tts", "tts", self._price(where, provider, "tts", used))

    def calculate_stt_cost(self, call_id: str, provider: str, minutes: Number) -> Decimal:
        """What speech recognition costs.

        Args:
            call_id: The call.
            provider: Who listens: "whisper-api", "whisper-local".
            minutes: Minutes of audio.

        Raises:
            CostError: No price is known for the provider, or the number is none.
        """
        where = "calculate_stt_cost()"
        used = {"minutes": _amount(where, "minutes", minutes)}
        return self._charge(call_id, "stt", "stt", self._price(where, provider, "stt", used))

    def calculate_twilio_cost(self, call_id: str, minutes: Number, sms_count: int = 0) -> Decimal:
        """What the telephone costs.

        Args:
            call_id: The call.
            minutes: Minutes of the call; whether begun ones are paid whole is a matter of the rates.
            sms_count: Text messages sent.

        Raises:
            CostError: The rates do not name Twilio, or a number is none.
        """
        return self._charge(
            call_id, "twilio", "telephony", self._of_twilio("calculate_twilio_cost()", minutes, sms_count)
        )

    def get_call_cost_breakdown(self, call_id: str) -> dict[str, Decimal]:
        """What a call has cost so far: `llm`, `tts`, `stt`, `twilio`, `infrastructure` and `total`.

        Raises:
            CostError: Nothing is known of the call (any more).
        """
        costs = self._ledger.of(_name(call_id))
        if costs is None:
            raise CostError(
                f"nothing is known of the costs of call {call_id!r}: initialize_call_costs() begins one, and a call "
                "of which nothing was heard for long is forgotten"
            )
        return costs

    def get_total_call_cost(self, call_id: str) -> Decimal:
        """What a call has cost so far.

        Raises:
            CostError: Nothing is known of the call (any more).
        """
        return self.get_call_cost_breakdown(call_id)["total"]

    def estimate_remaining_cost(
        self,
        call_id: str,
        estimated_duration_minutes: Number,
        estimated_messages: int = 0,
        estimated_tts_characters: int = 0,
        tier: str = "local",
        *,
        llm_provider: str = "ollama",
        stt_provider: str = "whisper-local",
    ) -> Decimal:
        """What the rest of a call may cost; nothing is charged.

        Args:
            call_id: The call. It need not have begun, so this can be asked before dialling; what is paid for each call
                is counted where it has not.
            estimated_duration_minutes: Minutes that it still takes.
            estimated_messages: Messages that the model still has to answer, each taken for `TOKENS_PER_MESSAGE`.
            estimated_tts_characters: Characters that are still to be spoken.
            tier: Who speaks: "local" (piper) or "premium" (elevenlabs).
            llm_provider: Who answers.
            stt_provider: Who listens.

        Raises:
            CostError: There is no such tier, no price is known for a provider, or a number is none.
        """
        where = "estimate_remaining_cost()"
        if tier not in _VOICES:
            raise CostError(f"{where}: there is no tier {tier!r}; there are: {', '.join(_VOICES)}")
        messages = _count(where, "estimated_messages", estimated_messages)
        asked, answered = (messages * tokens for tokens in TOKENS_PER_MESSAGE)
        minutes = _amount(where, "estimated_duration_minutes", estimated_duration_minutes)
        characters = _count(where, "estimated_tts_characters", estimated_tts_characters)
        details = [
            *self._of_twilio(where, minutes, 0),
            *self._price(where, llm_provider, "llm", {"input_tokens": asked, "output_tokens": answered}),
            *self._price(where, _VOICES[tier], "tts", {"characters": characters}),
            *self._price(where, stt_provider, "stt", {"minutes": minutes}),
        ]
        if self._ledger.of(_name(call_id)) is None:
            details += self.book.per_call(_today())
        return _sum(details)

    def finalize_call_costs(self, call_id: str) -> dict[str, Decimal]:
        """A call is over: what it cost. Costs that come later are still added to it, for as long as it is remembered.

        Returns:
            Its costs, as `get_call_cost_breakdown` has them.

        Raises:
            CostError: Nothing is known of the call (any more).
        """
        costs = self.get_call_cost_breakdown(call_id)
        self._ledger.finish(_name(call_id))
        return costs

    def cleanup_old_calls(self, max_age_hours: float = 24) -> int:
        """Forget calls that are over and to which nothing was added for so many hours; this happens by itself, too.

        Returns:
            How many they were.

        Raises:
            CostError: The number is none.
        """
        return self._ledger.forget(float(_amount("cleanup_old_calls()", "max_age_hours", max_age_hours)) * 3600)

    def get_cost_summary(self) -> dict[str, Any]:
        """What all calls of this process cost, those that were forgotten included, which count as over.

        Returns:
            `active_calls`, `finalized_calls`, `total_active_cost`, `total_finalized_cost`, `total_cost`, and
            `average_cost_per_call` over those that are over, None while there is none.
        """
        totals = self._ledger.totals()
        return {
            "active_calls": totals.active,
            "finalized_calls": totals.final,
            "total_active_cost": totals.active_cost,
            "total_finalized_cost": totals.final_cost,
            "total_cost": EXACT.add(totals.active_cost, totals.final_cost),
            "average_cost_per_call": EXACT.divide(totals.final_cost, Decimal(totals.final)) if totals.final else None,
        }

    def _of_twilio(self, where: str, minutes: Number, messages: int) -> list[CostData]:
        spoken = _amount(where, "minutes", minutes)
        written = _count(where, "sms_count", messages)
        details = self._price(where, "twilio/voice", "telephony", {"minutes": spoken})
        if written:
            details += self._price(where, "twilio/sms", "telephony", {"messages": written})
        return details

    def _price(self, where: str, provider: str, cost_type: str, used: dict[str, Any]) -> list[CostData]:
        """What that costs.

        Raises:
            CostError: Nobody knows.
        """
        payee, _, product = self.book.meaning_of(_text(provider)).partition("/")
        details = self.book.price(Usage(provider=payee, model=product or None, **used), cost_type, at=_today())
        if any(detail.amount is None for detail in details):
            units = ", ".join(used)
            raise CostError(
                f"{where}: no price is known for {units} of the provider {_text(provider)!r}; give it rates, or one of "
                f"those that have some: {', '.join(self._who_has(used))}"
            )
        return list(details)

    def _who_has(self, units: dict[str, Any]) -> list[str]:
        """The providers that have a price for these units."""
        found = []
        for name in self.book.names:
            payee, _, product = name.partition("/")
            prices = self.book.prices(payee, product or None, at=_today())
            if prices is not None and (prices.is_free or units.keys() <= prices.units.keys()):
                found.append(name)
        return found

    def _charge(self, call_id: str, category: str, cost_type: str, details: list[CostData]) -> Decimal:
        """Add costs to a call and to what is recorded."""
        self._open(call_id)
        amount = _sum(details)
        self._ledger.add(_name(call_id), category, amount)
        self._state(call_id, details, cost_type)
        return amount

    def _open(self, call_id: str) -> None:
        if self._ledger.open(_name(call_id)):
            details = self.book.per_call(_today())
            if details:
                self._ledger.add(_name(call_id), "infrastructure", _sum(details))
                self._state(call_id, details, INFRASTRUCTURE, once=True)

    def _state(
        self, call_id: str, details: list[CostData] | tuple[CostData, ...], what: str, *, once: bool = False
    ) -> None:
        """Record costs on the span that runs here, if it belongs to the call, else on one of their own.

        What is paid `once` for the call is left out where the collector or another calculator has charged it.
        """
        if not self._record:
            return
        here = current_span()
        if once and not isinstance(innermost(), NoopSpan):
            paid = paid_calls()
            if paid is not None and not paid.add(_name(call_id)):
                return
        if isinstance(here, ActiveSpan) and here.is_recording and here.call_id in {None, _name(call_id)}:
            if here.call_id is None:
                here.set_call_id(_name(call_id))
            _record(here, details)
        elif innermost() is None or isinstance(here, ActiveSpan):
            before = enter(None)
            try:
                span = start_span("step", f"{what} cost", call_id=_name(call_id))
            finally:
                leave(None, before)
            _record(span, details)
            span.end()


def _record(span: ActiveSpan | NoopSpan, details: list[CostData] | tuple[CostData, ...]) -> None:
    """Record costs as what the application states, so that a repricing leaves them as they are."""
    for detail in details:
        span.record_cost(
            detail.amount,
            cost_type=detail.cost_type,
            provider=detail.provider,
            model=detail.model,
            usage_units=detail.usage_units,
            unit=detail.unit,
            unit_cost=detail.unit_cost,
            price_source=detail.price_source,
            price_version=f"{STATED}:{detail.price_version}",
            effective_date=detail.effective_date,
        )


def _sum(details: list[CostData] | tuple[CostData, ...]) -> Decimal:
    return summed(detail.amount for detail in details if detail.amount is not None)


def _count(where: str, what: str, given: Any) -> int:
    amount = _amount(where, what, given)
    if amount != int(amount):
        raise CostError(f"{where}: {what} = {given!r}: it has to be a whole number")
    return int(amount)


def _amount(where: str, what: str, given: Any) -> Decimal:
    try:
        amount = exact(given)
    except ValueError as error:
        raise CostError(f"{where}: {what}: {error}") from None
    if amount < 0:
        raise CostError(f"{where}: {what} = {given!r}: it is not negative")
    if amount > _MOST:
        raise CostError(f"{where}: {what} = {given!r}: more than anyone uses")
    return amount


def _name(call_id: object) -> str:
    name = "" if call_id is None else _text(call_id)
    if not name.strip():
        raise CostError(f"call_id = {call_id!r}: a call needs an id, or its costs would be mixed with those of others")
    return name


def _text(name: object) -> str:
    """A name that may be given as an enum."""
    return str(getattr(name, "value", name))


def _today() -> datetime:
    return datetime.now(UTC)
