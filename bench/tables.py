"""Figures of rounds, brought together and printed."""

import statistics
from collections.abc import Callable, Iterable, Sequence

from bench.load import Delays
from bench.rounds import Window

NEAR_LIMIT = 0.9
"""Of a core: a load that used more could not go faster."""


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[int], share: float) -> int:
    """The value that `share` of all values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def ratio(over: Sequence[float], under: Sequence[float]) -> str:
    """The median of the rounds' own ratios, with the smallest and the largest: neighbours in time are what compares."""
    ratios = [one / other for one, other in zip(over, under, strict=True)]
    return f"{median(ratios):.2f}  ({min(ratios):.2f} to {max(ratios):.2f})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print aligned columns; the first is text, the others are numbers."""
    lines = [list(heads), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        cells = [_pad(column)(cell, width) for column, (cell, width) in enumerate(zip(line, widths, strict=True))]
        print("  " + "   ".join(cells).rstrip())


def windows(contenders: Sequence[tuple[str, Sequence[Window]]]) -> None:
    """Medians of what was delivered."""
    heads = ["", "deliveries/s", "sends/s", "server µs/delivery", "postgres µs/delivery", "client CPU"]
    table(heads, (_delivered(name, own) for name, own in contenders))
    for name, own in contenders:
        if median(each.client_share for each in own) > NEAR_LIMIT:
            print(
                f"  {name}: the load client was near its own limit, so the rates are too low; CPU of the server holds"
            )


def sends(contenders: Sequence[tuple[str, Sequence[Window]]]) -> None:
    """Medians of what was sent."""
    heads = ["", "sends/s", "server µs/send", "postgres µs/send", "client CPU"]
    table(heads, (_sent(name, own) for name, own in contenders))


def delays(audiences: Sequence[tuple[str, Sequence[Delays]]]) -> None:
    """Percentiles over the deliveries of all rounds, in milliseconds."""
    heads = ["", "deliveries", "call to receipt: p50", "p99", "answer to receipt: p50", "p99"]
    table(heads, (_delayed(name, own) for name, own in audiences))


def goal(name: str, found: str, wanted: str) -> None:
    print(f"  {name}: {found}   goal: {wanted}")


def _pad(column: int) -> Callable[[str, int], str]:
    return str.rjust if column else str.ljust


def _delivered(name: str, own: Sequence[Window]) -> list[str]:
    return [
        name,
        f"{median(each.deliveries_per_second for each in own):,.0f}",
        f"{median(each.sends_per_second for each in own):,.0f}",
        f"{median(each.server_us_per_delivery for each in own):.1f}",
        f"{median(each.postgres_us_per_delivery for each in own):.1f}",
        f"{median(each.client_share for each in own):.0%}",
    ]


def _sent(name: str, own: Sequence[Window]) -> list[str]:
    return [
        name,
        f"{median(each.sends_per_second for each in own):,.0f}",
        f"{median(each.server_us_per_send for each in own):,.0f}",
        f"{median(each.postgres_us_per_send for each in own):,.0f}",
        f"{median(each.client_share for each in own):.0%}",
    ]


def _delayed(name: str, own: Sequence[Delays]) -> list[str]:
    from_call = [delay for each in own for delay in each.from_call]
    from_answer = [delay for each in own for delay in each.from_answer]
    figures = (percentile(values, share) / 1000 for values in (from_call, from_answer) for share in (0.5, 0.99))
    return [name, f"{len(from_call):,}", *(f"{figure:.2f}" for figure in figures)]
