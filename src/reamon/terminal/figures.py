"""Figures for people: durations, money, counts and times, each with its unit."""

from datetime import UTC, datetime
from decimal import Decimal

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def duration(milliseconds: float | None) -> str:
    """A duration with three digits or so.

    Example:
        >>> duration(0.4213), duration(8.04), duration(412.3), duration(1320), duration(125_000), duration(None)
        ('0.42 ms', '8.0 ms', '412 ms', '1.32 s', '2:05 min', '')
    """
    if milliseconds is None:
        return ""
    for below, digits in ((0.995, 2), (9.95, 1), (999.5, 0)):  # so that rounding never reaches the next step
        if milliseconds < below:
            return f"{milliseconds:.{digits}f} ms"
    if milliseconds < 59_995:
        return f"{milliseconds / 1000:.2f} s"
    minutes, seconds = divmod(round(milliseconds / 1000), 60)
    return f"{minutes}:{seconds:02d} min"


def money(amount: Decimal | None) -> str:
    """USD to six places below a dollar, to four above; the store and `--json` have them all.

    Example:
        >>> money(Decimal("0.0041")), money(Decimal("12.5")), money(Decimal("0.0000001")), money(None)
        ('$0.004100', '$12.5000', '<$0.000001', '')
    """
    if amount is None:
        return ""
    if 0 < amount < Decimal("0.0000005"):
        return "<$0.000001"
    sign, size = "-" if amount < 0 else "", abs(amount)
    return f"{sign}${size:,.4f}" if size >= 1 else f"{sign}${size:.6f}"


def change(amount: Decimal | None) -> str:
    """By how much USD something is dearer or cheaper, with the sign.

    Example:
        >>> change(Decimal("0.5")), change(Decimal("-0.5")), change(Decimal(0)), change(None)
        ('+$0.500000', '-$0.500000', '$0.000000', '')
    """
    if not amount:
        return money(amount)
    return f"{'+' if amount > 0 else '-'}{money(abs(amount))}"


def model_name(provider: str | None, model: str | None) -> str:
    """A model, with who serves it as far as that is known.

    Example:
        >>> model_name("openai", "gpt-4o"), model_name("twilio", None), model_name(None, None)
        ('openai/gpt-4o', 'twilio', '(unnamed)')
    """
    return "/".join(part for part in (provider, model) if part) or "(unnamed)"


def count(number: int, thing: str, things: str | None = None) -> str:
    """A number of things.

    Example:
        >>> count(1, "call"), count(1200, "call"), count(0, "reply", "replies")
        ('1 call', '1,200 calls', '0 replies')
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def share(part: float, whole: float) -> str:
    """A percentage, or nothing where there is no whole.

    Example:
        >>> share(1, 8), share(1, 0)
        ('12.5 %', '')
    """
    return f"{100 * part / whole:.1f} %" if whole else ""


def volume(octets: int) -> str:
    """A size in bytes.

    Example:
        >>> volume(512), volume(150_000_000)
        ('512 B', '150.0 MB')
    """
    amount = float(octets)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def moment(time: datetime) -> str:
    """A point in time, in UTC, to the second.

    Example:
        >>> moment(datetime(2026, 11, 23, 7, 5, 9, tzinfo=UTC))
        '2026-11-23 07:05:09'
    """
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def bar(value: float, longest: float, width: int = 10) -> str:
    """A bar of `width` columns at most, in eighths of a column.

    Example:
        >>> bar(5, 10, width=4), bar(0, 10), bar(10, 10, width=4)
        ('██', '', '████')
    """
    if longest <= 0 or value <= 0:
        return ""
    whole, eighths = divmod(max(1, round(8 * width * min(value / longest, 1))), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")


def stretch(start: float, end: float, width: int = 24) -> str:
    """Where on a line of `width` columns something ran, with `start` and `end` as shares of it.

    Example:
        >>> stretch(0.5, 1, width=8), stretch(0, 0.01, width=8)
        ('····████', '█·······')
    """
    first = min(int(max(start, 0) * width), width - 1)
    last = min(max(round(end * width), first + 1), width)
    return "·" * first + "█" * (last - first) + "·" * (width - last)
