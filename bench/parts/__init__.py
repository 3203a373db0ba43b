"""The parts of the benchmark: each is a module with a `run(postgres, extent)` that measures and prints."""

from collections.abc import Callable

from bench.parts import broker, fan_out, idle, latency, notification, process, spread, table
from bench.peers import Postgres
from bench.rounds import Extent

PARTS: dict[str, Callable[[Postgres, Extent], None]] = {
    "table": table.run,
    "process": process.run,
    "fan-out": fan_out.run,
    "spread": spread.run,
    "idle": idle.run,
    "latency": latency.run,
    "notification": notification.run,
    "broker": broker.run,
}
