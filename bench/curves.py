"""How the figures move as there is more: `python -m bench.curves` measures and writes docs/curves.json; `bench.draw` draws it.

Parley stands beside Node by hand, on the same rows as in the table.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench import answers, http, peers, tables, world
from bench.command import begin
from bench.dataset import Dataset
from bench.machine import PROJECT, BenchError
from bench.operations import INBOX, PAGE, SEND, Operation
from bench.parts import fan_out
from bench.rounds import Extent
from bench.turns import Turn

POINTS = PROJECT / "docs" / "curves.json"

HISTORY = (10_000, 100_000, 500_000, 2_000_000)
SENDERS = (1, 4, 16, 64, 256)
SUBSCRIBERS = (1, 10, 100, 500, 2000)
CONVERSATIONS = (20, 100, 1000, 10_000)

_FEW = 100  # conversations, so that nearly all have a page of messages at the beginning
_PEOPLE = 10  # in each conversation, and of all of them
_EACH = 5  # messages of a conversation, where their number is not what is looked at

Turns = dict[str, list[Turn]]
Curve = dict[int, dict[str, Turns]]
"""By how much there is and by operation, the turns of each peer."""


def main() -> None:
    """Measure the curves that are named, or all, and write down their points; those of the others stay."""
    measured: dict[str, Callable[[Extent], Curve]] = {
        "history": lambda extent: _curve(HISTORY, extent, _history),
        "senders": lambda extent: _curve(SENDERS, extent, _senders),
        "subscribers": lambda extent: _curve(SUBSCRIBERS, extent, _subscribers),
        "conversations": lambda extent: _curve(CONVERSATIONS, extent, _conversations),
    }
    parser = argparse.ArgumentParser(
        prog="python -m bench.curves", description="Measure how figures move; bench/README.md"
    )
    parser.add_argument("curves", nargs="*", metavar="CURVE", help=f"of {', '.join(measured)}; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each server at each point (default 3)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of load in each turn (default 2)")
    given = parser.parse_args()
    if unknown := set(given.curves) - set(measured):
        parser.error(f"no curve is called {', '.join(sorted(unknown))}; there are {', '.join(measured)}")
    extent = Extent(given.rounds, given.seconds, peers=("node", "parley"))
    begin()
    points = json.loads(POINTS.read_text()) if POINTS.exists() else {}
    try:
        for name in given.curves or measured:
            print(f"\n{name}:\n", flush=True)
            points[name] = _points(measured[name](extent))
            POINTS.write_text(json.dumps(points, indent=1) + "\n")
    except BenchError as error:
        sys.exit(f"bench: {error}")


def _curve(sizes: Sequence[int], extent: Extent, measure: Callable[[int, Extent], dict[str, Turns]]) -> Curve:
    curve = {}
    for size in sizes:
        curve[size] = measure(size, extent)
        for operation, turns in curve[size].items():
            for name, own in turns.items():
                print(
                    f"  {operation} at {size:,}: {name} {tables.median(turn.rate for turn in own):,.0f}/s", flush=True
                )
    return curve


def _history(messages: int, extent: Extent) -> dict[str, Turns]:
    return _requests(Dataset(conversations=_FEW, messages=messages), [PAGE, SEND], extent)


def _senders(connections: int, extent: Extent) -> dict[str, Turns]:
    return _requests(Dataset(messages=HISTORY[0]), [SEND], replace(extent, connections=connections))


def _conversations(count: int, extent: Extent) -> dict[str, Turns]:
    """Everybody is in all of them."""
    dataset = Dataset(_PEOPLE, count, count * _EACH, least_members=_PEOPLE, most_members=_PEOPLE)
    return _requests(dataset, [INBOX], extent)


def _requests(dataset: Dataset, operations: Sequence[Operation], extent: Extent) -> dict[str, Turns]:
    with peers.postgres() as postgres, world.servers(postgres, dataset, extent.peers) as servers:
        answers.compare(servers, dataset)
        return {each.name: http.measure(servers, dataset, each, postgres, extent) for each in operations}


def _subscribers(count: int, extent: Extent) -> dict[str, Turns]:
    with peers.postgres() as postgres:
        windows = fan_out.measure(postgres, extent, count)
    return {"delivery": {name: [each.turn for each in own] for name, own in windows.items()}}


def _points(curve: Curve) -> list[dict[str, object]]:
    return [
        {
            "size": size,
            "operation": operation,
            "peer": name,
            "rate": round(tables.median(turn.rate for turn in own), 1),
            "server": tables.median(turn.server for turn in own),
            "postgres": tables.median(turn.postgres for turn in own),
        }
        for size, operations in curve.items()
        for operation, turns in operations.items()
        for name, own in turns.items()
    ]


if __name__ == "__main__":
    main()
