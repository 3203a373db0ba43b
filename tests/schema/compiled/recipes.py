"""Values of fields as recipes: each execution gets its own, equal to those of the other executor and unspent."""

import asyncio
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Clock:
    """Of one execution. Who waits goes on when all others wait too, one at a time and the first by name.

    So it does not matter in how many turns of the loop an executor does what it does: the order in which things end,
    and with it the order of errors, is the same.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._count = 0
        self._made: dict[int, Any] = {}

    def name(self) -> str:
        self._count += 1
        return f"{self._count:06}"

    async def turn(self, name: str) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, future))
        await future

    async def run(self, task: "asyncio.Task[Any]") -> None:
        """Until the task has ended and nothing is left that goes on behind it."""
        loop: Any = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0)
            if loop._ready:
                continue
            self._waiting = [(name, future) for name, future in self._waiting if not future.done()]
            if self._waiting:
                first = min(self._waiting, key=lambda waiting: waiting[0])
                first[1].set_result(None)
            elif task.done():
                return
            else:
                task.cancel("it waits for nothing that could come")

    def shared(self, recipe: "Recipe") -> Any:
        """What the recipe makes, the same whoever asks."""
        if id(recipe) not in self._made:
            self._made[id(recipe)] = recipe.make(self)
        return self._made[id(recipe)]


class Recipe(Protocol):
    def make(self, clock: Clock, /) -> Any: ...


@dataclass(frozen=True)
class Just:
    value: Any

    def make(self, _clock: Clock) -> Any:
        return self.value


@dataclass(frozen=True)
class Fresh:
    """What a function makes anew each time."""

    of: Callable[[], Any]

    def make(self, _clock: Clock) -> Any:
        return self.of()


@dataclass(frozen=True)
class Listed:
    """Several, as a list or another sequence."""

    items: Sequence[Recipe]
    shape: Callable[[list[Any]], Any] = list

    def make(self, clock: Clock) -> Any:
        return self.shape([item.make(clock) for item in self.items])


@dataclass(frozen=True)
class Made:
    """A row: an object of this class with these attributes, made without its constructor."""

    of: type
    attributes: Mapping[str, Recipe]

    def make(self, clock: Clock) -> Any:
        made = {name: recipe.make(clock) for name, recipe in self.attributes.items()}
        if issubclass(self.of, dict):
            return self.of(made)
        row = self.of.__new__(self.of)
        for name, value in made.items():
            setattr(row, name, value)
        return row


@dataclass(frozen=True)
class Called:
    """The same, made by its constructor."""

    of: Callable[..., Any]
    attributes: Mapping[str, Recipe]

    def make(self, clock: Clock) -> Any:
        return self.of(**{name: recipe.make(clock) for name, recipe in self.attributes.items()})


@dataclass(frozen=True)
class Later:
    """Something to be awaited."""

    then: Recipe

    def make(self, clock: Clock) -> Any:
        return Awaited(clock, clock.name(), self.then.make(clock))


@dataclass(frozen=True)
class Shared:
    """One and the same, in several places."""

    of: Recipe

    def make(self, clock: Clock) -> Any:
        return clock.shared(self.of)


@dataclass(frozen=True)
class Streamed:
    """Items that come one by one."""

    items: Sequence[Recipe]

    def make(self, clock: Clock) -> Any:
        return Stream(iter([item.make(clock) for item in self.items]))


@dataclass
class Raise:
    """Raises, in the place of a value."""

    error: Callable[[], Exception]

    def make(self, _clock: Clock) -> Any:
        return self


@dataclass(repr=False)
class Awaited:
    """No coroutine, as that one must be awaited and this one may."""

    clock: Clock
    name: str
    value: Any

    def __await__(self) -> Generator[Any, None, Any]:
        yield from self.clock.turn(self.name).__await__()
        if isinstance(self.value, Raise):
            raise self.value.error()
        return self.value


@dataclass(repr=False)
class Stream:
    items: Iterator[Any]

    def __aiter__(self) -> "Stream":
        return self

    async def __anext__(self) -> Any:
        try:
            return next(self.items)
        except StopIteration:
            raise StopAsyncIteration from None
