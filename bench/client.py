"""The load client: a process of its own that subscribes, sends, counts and checks, as it is told in lines of JSON.

`python -m bench.client` reads one command a line on standard input and answers each with one line. Between commands it
goes on reading its sockets and answering pings. `load.py` is the other end.
"""

import itertools
import json
import os
import resource
import select
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bench.wire import STAMP, Poster, ProtocolError, Subscriber, read_seq, read_stamp, stamp

Json = dict[str, Any]

_PATIENCE = 20.0  # seconds without anything new, after which messages count as lost
_FIRST_PAUSE = 0.3  # seconds after the first subscription: broadcaster's own backend fails when two first ones meet
_A_FEW = 50  # sockets that are opened in one go
_LONG = 8.0  # seconds of a window, after which pings are answered in it: servers wait for 20
_TOLD = 5  # problems that are told of many


@dataclass
class Sent:
    """What one measured window sent."""

    groups: dict[int, str] = field(default_factory=dict)
    """Where each message went, by number."""
    answered: dict[int, int] = field(default_factory=dict)
    """When its answer came."""
    refused: list[str] = field(default_factory=list)


class Pace:
    """When the next message may be sent: with `rate`, so many a second; else when few enough are under way.

    A message is under way until its answer and all its deliveries are there, so a server that answers early is not
    measured with a growing queue.
    """

    def __init__(self, job: Json, widest: int) -> None:
        self._rate: float | None = job.get("rate")
        self._count: int | None = job.get("count")
        self._most_due = (job["in_flight"] - 1) * widest
        self._begun = time.monotonic()
        self._end = self._begun + job.get("seconds", 3600.0)

    def is_over(self, sent: int) -> bool:
        return (self._count is not None and sent >= self._count) or time.monotonic() >= self._end

    def wait(self, sent: int, due: int) -> float | None:
        """Seconds until the next may be sent; None: when something has arrived."""
        if self._rate is not None:
            return max(0.0, self._begun + sent / self._rate - time.monotonic())
        return 0.0 if due <= self._most_due else None


class Client:
    """All sockets of this process, and one poll for them."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._subscribers: dict[int, Subscriber] = {}
        self._sizes: dict[str, int] = defaultdict(int)
        self._sent = Sent()
        self._numbers = itertools.count(1)

    def serve(self) -> None:
        """Do what is asked until there is nobody to ask."""
        standard_input = sys.stdin.fileno()
        self._poll.register(standard_input, select.EPOLLIN)
        commands = {"subscribe": self.subscribe, "send": self.send, "verify": self.verify, "sample": self.sample}
        while True:
            # One at a time: a command reads the sockets too, and would leave nothing of what was said to be ready.
            for ready, _ in self._poll.poll(maxevents=1):
                if ready != standard_input:
                    self._subscribers[ready].receive()
                    self._subscribers[ready].take()
                    continue
                line = sys.stdin.readline()
                if not line:
                    return
                name, arguments = json.loads(line)
                sys.stdout.write(json.dumps(commands[name](arguments)) + "\n")
                sys.stdout.flush()

    def subscribe(self, asked: Json) -> int:
        """Open a socket for each subscription."""
        for each in asked["subscriptions"]:
            subscriber = Subscriber(asked["port"], asked["path"], each["token"], each["group"], each["operation"])
            if not self._subscribers:
                time.sleep(_FIRST_PAUSE)
            self._subscribers[subscriber.fileno()] = subscriber
            self._sizes[subscriber.group] += 1
            self._poll.register(subscriber.fileno(), select.EPOLLIN)
            if len(self._subscribers) % _A_FEW == 0:
                self._keep_up()
        return len(self._subscribers)

    def send(self, job: Json) -> Json:
        """Send to the targets in turn until the job's end, and wait for all that is due."""
        self._forget()
        posters = {poster.fileno(): poster for poster in (Poster(job["port"]) for _ in range(job["connections"]))}
        for poster in posters.values():
            self._poll.register(poster.fileno(), select.EPOLLIN)
        used, begun = time.process_time(), time.monotonic()
        try:
            deliveries = self._run(job, posters)
        finally:
            seconds, used = time.monotonic() - begun, time.process_time() - used
            for poster in posters.values():
                self._poll.unregister(poster.fileno())
                poster.close()
        self._take()
        return {"sends": len(self._sent.groups), "deliveries": deliveries, "seconds": seconds, "client_cpu": used}

    def verify(self, asked: Json) -> Json:
        """Hold what came against what was sent; the delays in microseconds, if they are asked for."""
        problems = [*self._sent.refused]
        expected: dict[str, set[int]] = defaultdict(set)
        for number, group in self._sent.groups.items():
            expected[group].add(number)
        for subscriber in self._subscribers.values():
            problems += _complaints(subscriber, expected[subscriber.group])
        told = problems[:_TOLD] + ([f"and {len(problems) - _TOLD} more"] if len(problems) > _TOLD else [])
        return {"problems": told, **(self._delays() if asked.get("delays") else {})}

    def sample(self, _asked: Json) -> str:
        """One message as a subscriber got it."""
        return next(each.received[-1][1].decode() for each in self._subscribers.values() if each.received)

    def _keep_up(self) -> None:
        """Answer the pings of the sockets that are open while others are being opened."""
        for ready, _ in self._poll.poll(0):
            if ready in self._subscribers:
                self._subscribers[ready].receive()
                self._subscribers[ready].take()

    def _take(self) -> None:
        for subscriber in self._subscribers.values():
            subscriber.take()

    def _forget(self) -> None:
        self._sent = Sent()
        for subscriber in self._subscribers.values():
            subscriber.received.clear()

    def _run(self, job: Json, posters: dict[int, Poster]) -> int:
        requests = _requests(job)
        pace = Pace(job, max((self._sizes[target["group"]] for target in job["targets"]), default=0))
        free = list(posters.values())
        due = delivered = 0
        moved = taken = time.monotonic()
        while not pace.is_over(len(self._sent.groups)) or due > 0 or len(free) < len(posters):
            wait = None
            while free and not pace.is_over(len(self._sent.groups)):
                wait = pace.wait(len(self._sent.groups), due)
                if wait != 0:
                    break
                due += self._post(free.pop(0), *next(requests))  # in turn: a server closes what idles
                wait = None
            arrived = self._poll.poll(min(wait or 0.1, 0.1))
            for ready, _ in arrived:
                subscriber = self._subscribers.get(ready)
                if subscriber is not None:
                    count = subscriber.receive()
                    due -= count
                    delivered += count
                elif ready in posters:
                    free += self._settle(posters[ready], job["proof"])
                else:
                    raise ProtocolError("a command came while another was under way")
            if arrived:
                moved = time.monotonic()
                time.sleep(job["pause"])
                if moved - taken > _LONG:
                    self._take()
                    taken = moved
            elif wait is None and time.monotonic() - moved > job.get("patience", _PATIENCE):
                break  # what is missing is found by `verify`
        return delivered

    def _post(self, poster: Poster, group: str, parts: list[bytes]) -> int:
        """Send one message; returns how many deliveries it makes due."""
        number = next(self._numbers)
        self._sent.groups[number] = group
        poster.post(number, stamp(number, time.monotonic_ns()).join(parts))
        return self._sizes[group]

    def _settle(self, poster: Poster, proof: str) -> list[Poster]:
        """Read an answer; returns the connection when it is free again."""
        answer = poster.receive()
        if answer is None:
            return []
        self._sent.answered[poster.number] = time.monotonic_ns()
        if not answer.startswith(b"HTTP/1.1 200") or proof.encode() not in answer.replace(b" ", b""):
            self._sent.refused.append(f"refused: {answer.decode(errors='replace')[-300:]}")
        return [poster]

    def _delays(self) -> Json:
        from_call, from_answer = [], []
        for subscriber in self._subscribers.values():
            for moment, payload in subscriber.received:
                number, called = read_stamp(payload)
                from_call.append((moment - called) // 1000)
                from_answer.append((moment - self._sent.answered.get(number, moment)) // 1000)
        return {"from_call": from_call, "from_answer": from_answer}


def _requests(job: Json) -> Iterator[tuple[str, list[bytes]]]:
    """For ever: where the next message goes, and its request in the parts between stamps."""
    targets = [(target["group"], target["request"].encode().split(STAMP.encode())) for target in job["targets"]]
    return itertools.cycle(targets)


def _complaints(subscriber: Subscriber, expected: set[int]) -> Iterator[str]:
    """Whatever is not "every message exactly once, in the order of seq, without a hole"."""
    numbers = [read_stamp(payload)[0] for _, payload in subscriber.received]
    seqs = [read_seq(payload) for _, payload in subscriber.received]
    if len(set(numbers)) != len(numbers):
        yield f"{subscriber.group}: {len(numbers) - len(set(numbers))} messages came twice"
    if lost := expected - set(numbers):
        yield f"{subscriber.group}: {len(lost)} of {len(expected)} messages did not come"
    if strange := set(numbers) - expected:
        yield f"{subscriber.group}: {len(strange)} messages came that were not sent now"
    first = seqs[0] if subscriber.seq is None and seqs else (subscriber.seq or 0) + 1
    if seqs != list(range(first, first + len(seqs))):
        yield f"{subscriber.group}: out of order, seq {seqs[:5]} … {seqs[-5:]} after {subscriber.seq}"
    subscriber.seq = seqs[-1] if seqs else subscriber.seq


def main() -> None:
    """Serve; what goes wrong is one line for the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches it too, and it ends with whoever asks it
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        Client().serve()
    except (ProtocolError, OSError) as error:
        sys.stdout.write(json.dumps({"failed": f"{type(error).__name__}: {error}"}) + "\n")
        sys.stdout.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
