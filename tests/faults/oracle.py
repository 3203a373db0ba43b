"""What was promised against what happened: every acknowledged message once, in one order, to everybody."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise

SILENCE = 5.0
"""Seconds after which a stream that could recover has told what it was behind with."""

_AMOUNTS = ("acknowledged", "delivered", "silence")  # of a verdict; everything else counts defects


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Where the server said that a message is, and when."""

    conversation: str
    seq: int
    at: float


@dataclass(slots=True)
class Journal:
    """What the writers know: when they sent each key first, and what was answered."""

    begun: dict[str, float] = field(default_factory=dict)
    acknowledged: dict[str, Acknowledgement] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """An event that told of a message."""

    conversation: str
    seq: int
    key: str
    at: float


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which nothing could be delivered."""

    begin: float
    end: float


@dataclass(slots=True)
class Listening:
    """What one reader was told, and after which seq of each conversation it began."""

    starts: Mapping[str, int]
    receipts: list[Receipt] = field(default_factory=list)
    absences: list[Outage] = field(default_factory=list)
    """When it did not listen."""


History = Mapping[str, Sequence[tuple[int, str]]]
"""Of each conversation the messages, seq and key, as its pages show them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    acknowledged: int
    """Messages whose sender got an answer."""
    delivered: int
    """Receipts of all readers together."""
    lost: int
    """Acknowledged, and not in the history where the answer said."""
    duplicated: int
    """Twice in the history, or told twice to one reader."""
    reordered: int
    """Told after a later one; sent after a later one was acknowledged; or next to a hole in the history."""
    phantom: int
    """In the history or told, and never sent; or told, and not in the history."""
    missed: int
    """In the history after a reader's start, and never told to it."""
    silence: float
    """The longest time between an acknowledgement and a receipt, without the outages in it."""

    @property
    def defects(self) -> dict[str, float]:
        """What should not be."""
        counted = {name: count for name, count in asdict(self).items() if name not in _AMOUNTS and count}
        return counted | ({"silence": self.silence} if self.silence > SILENCE else {})


def judge(journal: Journal, listenings: Sequence[Listening], history: History, outages: Sequence[Outage]) -> Verdict:
    """Compare the three accounts of the same messages."""
    kept = {(conversation, seq, key) for conversation, messages in history.items() for seq, key in messages}
    receipts = [receipt for listening in listenings for receipt in listening.receipts]
    return Verdict(
        acknowledged=len(journal.acknowledged),
        delivered=len(receipts),
        lost=sum((told.conversation, told.seq, key) not in kept for key, told in journal.acknowledged.items()),
        duplicated=_repeats(key for messages in history.values() for _, key in messages)
        + sum(_repeats((each.conversation, each.seq) for each in listening.receipts) for listening in listenings),
        reordered=sum(_disorder(journal, messages) for messages in history.values())
        + sum(_steps_back(listening) for listening in listenings),
        phantom=sum(key not in journal.begun for _, _, key in kept)
        + sum((each.conversation, each.seq, each.key) not in kept for each in receipts),
        missed=sum(_missed(listening, history) for listening in listenings),
        silence=max(
            (
                _silence(journal, each, [*outages, *listening.absences])
                for listening in listenings
                for each in listening.receipts
            ),
            default=0.0,
        ),
    )


def _repeats(things: Iterable[object]) -> int:
    return sum(count - 1 for count in Counter(things).values())


def _disorder(journal: Journal, messages: Sequence[tuple[int, str]]) -> int:
    """Holes in seq, and messages that stand before one that had been acknowledged when they were sent."""
    holes = sum(seq != number for number, (seq, _) in enumerate(messages, 1))
    late, earliest = 0, float("inf")
    for _, key in reversed(messages):
        late += journal.begun.get(key, 0.0) > earliest
        if key in journal.acknowledged:
            earliest = min(earliest, journal.acknowledged[key].at)
    return holes + late


def _steps_back(listening: Listening) -> int:
    told: defaultdict[str, dict[int, None]] = defaultdict(dict)  # in order, and each once: a repeat is counted as such
    for receipt in listening.receipts:
        told[receipt.conversation][receipt.seq] = None
    return sum(later < earlier for seqs in told.values() for earlier, later in pairwise(seqs))


def _missed(listening: Listening, history: History) -> int:
    told = {(receipt.conversation, receipt.seq) for receipt in listening.receipts}
    return sum(
        seq > start and (conversation, seq) not in told
        for conversation, start in listening.starts.items()
        for seq, _ in history.get(conversation, ())
    )


def _silence(journal: Journal, receipt: Receipt, outages: Sequence[Outage]) -> float:
    acknowledgement = journal.acknowledged.get(receipt.key)
    if acknowledgement is None:
        return 0.0
    out = sum(max(0.0, min(receipt.at, each.end) - max(acknowledgement.at, each.begin)) for each in outages)
    return max(0.0, receipt.at - acknowledgement.at - out)
