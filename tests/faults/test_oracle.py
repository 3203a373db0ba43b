"""The oracle finds what it is there to find: an account without fault passes, and each defect is named."""

from dataclasses import dataclass, field

import pytest

from tests.faults.oracle import Acknowledgement, Journal, Listening, Outage, Receipt, judge

ROOM = "room"


@dataclass
class Account:
    """Three messages a second apart, acknowledged after 0.1 seconds and told to two readers after 0.2."""

    journal: Journal = field(default_factory=Journal)
    readers: list[Listening] = field(default_factory=lambda: [Listening({ROOM: 0}), Listening({ROOM: 0})])
    history: dict[str, list[tuple[int, str]]] = field(default_factory=lambda: {ROOM: []})
    outages: list[Outage] = field(default_factory=list)

    def __post_init__(self) -> None:
        for seq in (1, 2, 3):
            key, at = f"key {seq}", float(seq)
            self.journal.begun[key] = at
            self.journal.acknowledged[key] = Acknowledgement(ROOM, seq, at + 0.1)
            self.history[ROOM].append((seq, key))
            for reader in self.readers:
                reader.receipts.append(Receipt(ROOM, seq, key, at + 0.2))

    def defects(self) -> dict[str, float]:
        return judge(self.journal, self.readers, self.history, self.outages).defects


@pytest.fixture
def account() -> Account:
    return Account()


def test_without_fault(account: Account) -> None:
    """Amounts are counted, and there is no defect."""
    verdict = judge(account.journal, account.readers, account.history, account.outages)
    assert (verdict.acknowledged, verdict.delivered, verdict.defects) == (3, 6, {})
    assert verdict.silence == pytest.approx(0.1)


def test_lost(account: Account) -> None:
    """Acknowledged, and gone."""
    account.history[ROOM].pop()
    for reader in account.readers:
        reader.receipts.pop()
    assert account.defects() == {"lost": 1}


def test_lost_from_its_place(account: Account) -> None:
    """A message that is elsewhere than its sender was told is lost there."""
    account.journal.acknowledged["key 3"] = Acknowledgement(ROOM, 7, 3.1)
    assert account.defects() == {"lost": 1}


def test_duplicated_in_history(account: Account) -> None:
    """One key, two messages; here nobody was told of the second."""
    account.history[ROOM].append((4, "key 3"))
    assert account.defects() == {"duplicated": 1, "missed": 2}


def test_duplicated_at_a_reader(account: Account) -> None:
    """The same event again, at once or later."""
    account.readers[0].receipts.insert(1, account.readers[0].receipts[0])
    account.readers[1].receipts.append(account.readers[1].receipts[0])
    assert account.defects() == {"duplicated": 2}


def test_reordered_at_a_reader(account: Account) -> None:
    """An earlier message told after a later one."""
    receipts = account.readers[1].receipts
    receipts[0], receipts[1] = receipts[1], receipts[0]
    assert account.defects() == {"reordered": 1}


def test_reordered_against_time(account: Account) -> None:
    """A message that was sent when another had been acknowledged stands before it."""
    account.journal.begun["key 1"] = 2.5
    assert account.defects() == {"reordered": 1}


def test_a_hole(account: Account) -> None:
    """A number that no message has."""
    account.history[ROOM][2] = (4, "key 3")
    account.journal.acknowledged["key 3"] = Acknowledgement(ROOM, 4, 3.1)
    for reader in account.readers:
        reader.receipts[2] = Receipt(ROOM, 4, "key 3", 3.2)
    assert account.defects() == {"reordered": 1}


def test_a_phantom_in_history(account: Account) -> None:
    """A message that nobody sent."""
    account.history[ROOM].append((4, "whose?"))
    for reader in account.readers:
        reader.receipts.append(Receipt(ROOM, 4, "whose?", 4.2))
    assert account.defects() == {"phantom": 1}


def test_a_phantom_at_a_reader(account: Account) -> None:
    """A reader is told of a message that was rolled back."""
    account.journal.begun["undone"] = 4.0
    account.readers[0].receipts.append(Receipt(ROOM, 4, "undone", 4.2))
    assert account.defects() == {"phantom": 1}


def test_missed(account: Account) -> None:
    """One reader was not told of one message; what precedes its start is not missed."""
    account.readers[0] = Listening({ROOM: 1}, account.readers[0].receipts[2:])
    assert account.defects() == {"missed": 1}


def test_silent(account: Account) -> None:
    """Told, but too late."""
    account.readers[0].receipts[2] = Receipt(ROOM, 3, "key 3", 9.1)
    assert account.defects() == {"silence": pytest.approx(6.0)}


def test_an_outage_is_no_silence(account: Account) -> None:
    """Only the time counts in which it could have been told."""
    account.readers[0].receipts[2] = Receipt(ROOM, 3, "key 3", 9.1)
    account.outages.append(Outage(2.0, 8.1))
    assert account.defects() == {}


def test_who_does_not_listen_is_told_later(account: Account) -> None:
    """The absence of one reader excuses nothing to another."""
    account.readers[0].receipts[2] = Receipt(ROOM, 3, "key 3", 9.1)
    account.readers[0].absences.append(Outage(2.0, 8.1))
    assert account.defects() == {}
    account.readers[1].receipts[2] = account.readers[0].receipts[2]
    assert account.defects() == {"silence": pytest.approx(6.0)}
