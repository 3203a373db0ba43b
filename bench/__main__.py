"""The command line: `python -m bench --only page --peers parley,node`."""

import argparse
import sys
import time
from collections.abc import Sequence

from bench import peers, world
from bench.command import begin
from bench.machine import BenchError
from bench.parts import PARTS
from bench.parts.table import COLUMNS
from bench.rounds import Extent

_TABLE = ["table"]
_DEFAULT = [*_TABLE, "process"]
_QUICK = Extent(rounds=1, seconds=1.0)


def main() -> None:
    """Run the parts that are named; without a name those of the default, or the table where a part of it is asked for."""
    begin()
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure Parley; bench/README.md")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; {', '.join(_DEFAULT)} by default"
    )
    parser.add_argument("--only", help=f"columns of the table, comma-separated: {','.join(COLUMNS)}")
    parser.add_argument("--messages", type=int, help=f"in the data set (default {Extent().messages:,})")
    parser.add_argument("--peers", help=f"rows of the table, comma-separated: {','.join(world.NAMES)}")
    parser.add_argument("--rounds", type=int, help=f"turns of each server (default {Extent().rounds})")
    parser.add_argument("--seconds", type=float, help=f"of sending in each turn (default {Extent().seconds:.0f})")
    parser.add_argument(
        "--quick", action="store_true", help="one short turn each: to see that it works, not for figures"
    )
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    base = _QUICK if given.quick else Extent()
    try:
        _run(
            given.parts or (_TABLE if given.only or given.peers else _DEFAULT),
            Extent(
                given.rounds or base.rounds,
                given.seconds or base.seconds,
                _chosen(parser, given.peers, world.NAMES),
                _chosen(parser, given.only, COLUMNS),
                given.messages or base.messages,
            ),
        )
    except KeyboardInterrupt:
        sys.exit(130)
    except BenchError as error:
        sys.exit(f"bench: {error}")


def _chosen(parser: argparse.ArgumentParser, given: str | None, known: Sequence[str]) -> Sequence[str]:
    """Those of a comma-separated list, in the order they are known in."""
    names = given.split(",") if given else known
    if unknown := set(names) - set(known):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [name for name in known if name in names]


def _run(names: list[str], extent: Extent) -> None:
    for name in names:
        part, begun = PARTS[name], time.monotonic()
        module = sys.modules[part.__module__]
        print(f"\n{name}: {str(module.__doc__).splitlines()[0]}\n", flush=True)
        with peers.postgres() as postgres:
            part(postgres, extent)
        print(f"  ({extent.rounds} rounds, {time.monotonic() - begun:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
