"""What an operator decides about messaging."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """Each field is the setting of the same name; settings.py says what it means and what it may be."""

    max_body_length: int = 10_000
    edit_window: int | None = None
    max_reactions_per_message: int = 20
    hide_blocked: bool = True
    max_participants: int = 1_000
    max_pinned_messages: int = 50
    markdown_images: bool = False
    max_scheduled_messages: int = 100
    max_schedule_days: int = 365
    presence_grace: float = 3.0
    presence_lifetime: float = 15.0
    rate_limits: tuple[str, ...] = ()
    log_retention_days: int = 0
    retention_direct_days: int = 0
    retention_group_days: int = 0
    search_language: str = "simple"
