"""A page, an inbox, a send and the fan-out, beside the floor, Node by hand and a tutorial."""

from collections.abc import Callable, Sequence

from bench import answers, http, machine, node, tables, world, wrk
from bench.dataset import Dataset
from bench.operations import OPERATIONS
from bench.parts import fan_out
from bench.peers import Postgres
from bench.rounds import Extent
from bench.turns import Turn

FAN_OUT = "fan-out"
COLUMNS = (*OPERATIONS, FAN_OUT)

_UNITS = {FAN_OUT: ("deliveries/s (µs)", 1e6, 1)}  # head, of a second, decimals
_UNIT = ("requests/s (ms)", 1e3, 2)

Column = dict[str, list[Turn]]
"""The turns of each peer, one a round."""


def run(postgres: Postgres, extent: Extent) -> None:
    """Measure and print."""
    columns: dict[str, Column] = {}
    asked = [OPERATIONS[name] for name in extent.columns if name in OPERATIONS]
    if asked and not wrk.is_there():
        print("  left out: page, inbox and send, since there is no wrk on the PATH (Debian: apt-get install wrk)\n")
    elif asked:
        dataset = Dataset(messages=extent.messages)
        with world.servers(postgres, dataset, extent.peers) as servers:
            answers.compare(servers, dataset)
            columns |= {each.name: http.measure(servers, dataset, each, postgres, extent) for each in asked}
    if FAN_OUT in extent.columns:
        columns[FAN_OUT] = {
            name: [each.turn for each in own] for name, own in fan_out.measure(postgres, extent).items()
        }
    if columns:
        _print([name for name in extent.peers if name in next(iter(columns.values()))], columns)


def _print(names: Sequence[str], columns: dict[str, Column]) -> None:
    print("  a second (CPU of one: server + PostgreSQL)\n")
    heads = ["", *(f"{name}: {_UNITS.get(name, _UNIT)[0]}" for name in columns)]
    rows = ([name, *(_cell(head, found.get(name)) for head, found in columns.items())] for name in names)
    tables.table(heads, rows)
    _print_client(columns)
    if "parley" in names:
        others = [name for name in reversed(names) if name != "parley"]
        _print_ratios("rate, parley /", others, columns, lambda turn: turn.rate)
        _print_ratios("CPU, parley /", others, columns, lambda turn: turn.cost)
    if "node" in names:
        print(f"\n  node is {node.version(node.node())}")
    print(f"  python is {machine.python()}")


def _print_ratios(head: str, others: Sequence[str], columns: dict[str, Column], value: Callable[[Turn], float]) -> None:
    print()
    rows = ([other, *(_ratio(found, other, value) for found in columns.values())] for other in others)
    tables.table([head, *columns], rows)


def _print_client(columns: dict[str, Column]) -> None:
    shares = {
        (head, name): tables.median(turn.client_share for turn in own)
        for head, found in columns.items()
        for name, own in found.items()
    }
    head, name = max(shares, key=lambda place: shares[place])
    most = shares[head, name]
    warning = ": it could not go faster, so that rate is too low" if most > tables.NEAR_LIMIT else ""
    print(f"\n  the load used up to {most:.0%} of a core ({head}, {name}){warning}")


def _ratio(found: Column, other: str, value: Callable[[Turn], float]) -> str:
    if other not in found:
        return ""
    return tables.ratio([value(turn) for turn in found["parley"]], [value(turn) for turn in found[other]])


def _cell(column: str, own: Sequence[Turn] | None) -> str:
    if own is None:
        return ""
    _, scale, decimals = _UNITS.get(column, _UNIT)
    rate = tables.median(turn.rate for turn in own)
    server = scale * tables.median(turn.server for turn in own)
    postgres = scale * tables.median(turn.postgres for turn in own)
    return f"{rate:,.0f} ({server:.{decimals}f} + {postgres:.{decimals}f})"
