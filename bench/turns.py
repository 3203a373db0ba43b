"""What one turn of one server comes to, whatever it was that it did."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Turn:
    """Of requests answered, or messages delivered."""

    rate: float
    """A second."""
    server: float
    """CPU seconds of the server for one."""
    postgres: float
    """CPU seconds of PostgreSQL for one."""
    client_share: float
    """Of one core, that the load itself used."""

    @property
    def cost(self) -> float:
        """CPU seconds for one, of server and PostgreSQL together."""
        return self.server + self.postgres
