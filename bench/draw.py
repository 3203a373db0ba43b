"""Draws the curves of docs/curves.json as docs/performance-*.png. Needs what requirements-bench.txt pins."""

import json
from dataclasses import dataclass
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullLocator

from bench.curves import POINTS

Point = dict[str, Any]

_COLOURS = {"parley": "#0b6e4f", "node": "#c1440e"}
_LINES = {"server": "o-", "postgres": "s--"}
_INK = "#333333"


@dataclass(frozen=True, slots=True)
class Drawing:
    """One curve: what grows, and of what the figures are."""

    name: str
    grows: str
    operations: dict[str, str]
    """By operation: what one is called on the axis of rates."""
    scale: float
    unit: str
    """Of CPU: `scale` of them are a second."""
    y_axis: str = "linear"


DRAWINGS = (
    Drawing("history", "messages in 100 conversations", {"page": "pages", "send": "sends"}, 1e3, "ms"),
    Drawing("senders", "connections that send, one message at a time each", {"send": "sends"}, 1e3, "ms"),
    Drawing("subscribers", "subscribers of one conversation", {"delivery": "deliveries"}, 1e6, "µs", "log"),
    Drawing("conversations", "conversations of each user", {"inbox": "inboxes"}, 1e3, "ms"),
)


def main() -> None:
    """Draw what was measured."""
    points = json.loads(POINTS.read_text())
    plt.rcParams |= {"font.size": 10, "axes.edgecolor": _INK, "text.color": _INK, "axes.labelcolor": _INK}
    for drawing in (each for each in DRAWINGS if each.name in points):
        _draw(drawing, points[drawing.name])


def _draw(drawing: Drawing, points: list[Point]) -> None:
    """A row for each operation: the rate on the left, the CPU on the right."""
    rows = len(drawing.operations)
    figure, grid = plt.subplots(rows, 2, figsize=(10, 3.4 * rows + 0.4), squeeze=False, layout="constrained")
    for (operation, plural), (left, right) in zip(drawing.operations.items(), grid, strict=True):
        for peer, colour in _COLOURS.items():
            own = [point for point in points if point["operation"] == operation and point["peer"] == peer]
            sizes = [point["size"] for point in own]
            left.plot(sizes, [point["rate"] for point in own], "o-", color=colour)
            for part, line in _LINES.items():
                right.plot(sizes, [drawing.scale * point[part] for point in own], line, color=colour)
        left.set_title(f"{plural} a second", loc="left")
        right.set_title(f"CPU of one {operation}, {drawing.unit}", loc="left")
        for axes in (left, right):
            _dress(axes, drawing, sizes)
    figure.legend(handles=_legend(), loc="outside upper center", ncols=len(_COLOURS) + len(_LINES), frameon=False)
    figure.savefig(POINTS.with_name(f"performance-{drawing.name}.png"), dpi=110)
    plt.close(figure)


def _legend() -> list[Any]:
    peers = [Line2D([], [], color=colour, linewidth=4, label=peer) for peer, colour in _COLOURS.items()]
    named = {"server": "CPU of the server", "postgres": "CPU of PostgreSQL"}
    parts = [
        Line2D([], [], color=_INK, marker=line[0], linestyle=line[1:], label=named[part])
        for part, line in _LINES.items()
    ]
    return peers + parts


def _dress(axes: Any, drawing: Drawing, sizes: list[int]) -> None:  # noqa: ANN401  (matplotlib's are not looked at by mypy)
    axes.set_xscale("log")
    axes.set_xlabel(drawing.grows)
    axes.set_xticks(sizes)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yscale(drawing.y_axis)
    if drawing.y_axis == "linear":
        axes.set_ylim(0, 1.08 * axes.dataLim.ymax)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
