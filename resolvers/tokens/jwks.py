"""A JWK set that is kept up to date: cached, refreshed by age and by need, and never lost to an outage."""

import asyncio
import math
from collections.abc import Callable

import structlog

from resolvers.tokens.errors import InvalidTokenError, KeySetError, KeysUnavailableError, shown
from resolvers.tokens.jwk import KeyDocument, parse_key_set
from resolvers.tokens.jwks_source import KeySetSource
from resolvers.tokens.keys import Key

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class KeySet:
    """The keys published at a source.

    Age decides. Younger than half of `refresh_interval`: used as they are. Older: a refresh runs beside the work.
    Older than the whole: the work waits for it, so a key that was removed at the source is out of use here at most
    one `refresh_interval` later. A refresh that fails keeps the keys and is logged; while the source is known to be
    down (it failed within twice the `retry_interval`) nobody waits for it. A token that names an unknown key causes a refresh too. Whatever the cause, refreshes begin
    at least `retry_interval` apart and only one runs at a time. All durations are seconds on the `monotonic` clock.
    """

    def __init__(
        self,
        source: KeySetSource,
        algorithms: tuple[str, ...],
        *,
        refresh_interval: float,
        retry_interval: float,
        monotonic: Callable[[], float],
    ) -> None:
        self.algorithms = algorithms
        self._source = source
        self._refresh_interval = refresh_interval
        self._retry_interval = retry_interval
        self._monotonic = monotonic
        self._document = KeyDocument((), ())
        self._held: frozenset[Key] = frozenset()
        self._fetched_at = -math.inf
        self._attempted_at = -math.inf
        self._failed_at = -math.inf
        self._failure: str | None = "not read yet"
        self._refreshing: asyncio.Task[None] | None = None

    async def load(self) -> None:
        """Read the keys now, for a start or a check of the configuration. Raises KeySetError where none are usable."""
        await self._attempt()
        if self._held:
            return
        reason = self._failure or "; ".join(("it has no usable key", *self._document.ignored))
        raise KeySetError(f"The JWK set {self._source.name} cannot be used: {reason}")

    @property
    def are_due(self) -> bool:
        return self._age >= self._refresh_interval / 2

    @property
    def _age(self) -> float:
        return self._monotonic() - self._fetched_at

    async def freshen(self) -> None:
        age = self._age
        if age < self._refresh_interval / 2:
            return
        task = self._begun()
        known_outage = self._monotonic() - self._failed_at < 2 * self._retry_interval
        if task is not None and age >= self._refresh_interval and not known_outage:
            await asyncio.shield(task)

    async def find(self, kid: str | None, algorithm: str) -> Key:
        key = self._look_up(kid, algorithm)
        if key is None:
            await self._attempt()
            key = self._look_up(kid, algorithm)
        if key is None:
            raise self._unknown(kid, algorithm)
        return key

    def holds(self, key: Key) -> bool:
        return key in self._held

    async def aclose(self) -> None:
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.wait([self._refreshing])

    async def _attempt(self) -> None:
        task = self._begun()
        if task is not None:
            # Shielded: others wait for the same refresh, so one caller that goes away must not end it.
            await asyncio.shield(task)

    def _begun(self) -> asyncio.Task[None] | None:
        """The running refresh, or a new one; None where the last one began too recently."""
        if self._refreshing is not None and not self._refreshing.done():
            return self._refreshing
        now = self._monotonic()
        if now - self._attempted_at < self._retry_interval:
            return None
        self._attempted_at = now
        self._refreshing = asyncio.create_task(self._refresh(now), name="refresh token keys")
        return self._refreshing

    async def _refresh(self, begun_at: float) -> None:
        try:
            document = parse_key_set(await self._source.read(), self.algorithms)
        except KeySetError as error:
            self._failed_at, self._failure = begun_at, str(error)
            log.error(  # noqa: TRY400 - an outage elsewhere: the reason says it, our traceback does not
                "token keys not refreshed", source=self._source.name, reason=self._failure, keys_kept=len(self._held)
            )
            return
        # The age counts from the question: a key removed while the answer was on its way may still be in it.
        self._fetched_at, self._failed_at, self._failure = begun_at, -math.inf, None
        self._install(document)

    def _install(self, document: KeyDocument) -> None:
        held = frozenset(document.keys)
        if document.ignored != self._document.ignored:
            for ignored in document.ignored:
                log.warning("token key ignored", source=self._source.name, reason=ignored)
        if held != self._held or not held:
            write = log.info if held else log.error
            added, removed = _names(held - self._held), _names(self._held - held)
            write("token keys read", source=self._source.name, keys=len(held), added=added, removed=removed)
        self._document, self._held = document, held

    def _look_up(self, kid: str | None, algorithm: str) -> Key | None:
        fitting = [key for key in self._held if key.algorithm == algorithm and kid in (None, key.kid)]
        # A token may leave out the key id where that leaves no choice.
        return fitting[0] if len(fitting) == 1 else None

    def _unknown(self, kid: str | None, algorithm: str) -> InvalidTokenError:
        if not self._held:
            return KeysUnavailableError(
                "The server has no keys to check tokens with; its log says why. Try again in some seconds."
            )
        if kid is None:
            return InvalidTokenError(
                f"The token's header has no key id (kid), and not exactly one key of the key set is for {algorithm}."
            )
        others = sorted(key.algorithm for key in self._held if key.kid == kid)
        if others:
            return InvalidTokenError(
                f"The token says alg {algorithm}, but the key {shown(kid)} is for {', '.join(others)}."
            )
        return InvalidTokenError(
            f"The token names the unknown key id {shown(kid)}; the key set has {', '.join(_names(self._held))}. "
            "Is the token from another issuer, or signed with a key that was rotated out?"
        )


def _names(keys: frozenset[Key]) -> list[str]:
    return sorted(shown(key.kid) if key.kid is not None else f"a key without id ({key.algorithm})" for key in keys)
