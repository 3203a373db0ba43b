"""What can be set from outside: environment variables with the prefix PARLEY_. Nothing else reads the environment."""

import base64
import binascii
import difflib
import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from resolvers.policy import Policy
from resolvers.rates import rates
from storage.types import GROUPS

PREFIX = "PARLEY_"
PROJECT = Path(__file__).parent

Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]
LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "json", "console"]
CheckFailure = Literal["allow", "flag", "reject"]
ContextFailure = Literal["allow", "refuse"]

_MINIMUM_SECRET_BYTES = 32  # RFC 7518, 3.2: a key of the size of the hash output or larger
_KEY_BYTES = 32
_EMBEDDED_CONNECTIONS = 90  # of the embedded PostgreSQL's 100; the rest is for commands and for people
_CONNECTIONS_BESIDE_POOL = 6  # of one worker: one listens, one notifies, four work in nobody's name


class SettingsError(Exception):
    """Settings that cannot be used: one line for each, naming the variable."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class Settings(BaseSettings):
    """All settings. `load` is the way to get them: it also refuses variables that are none of these."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", hide_input_in_errors=True)

    host: str = Field(
        "127.0.0.1", min_length=1, description="Address to listen on. Beyond this machine only with a token key."
    )
    port: int = Field(8000, ge=1, le=65535, description="TCP port to listen on.")
    workers: int = Field(1, ge=1, le=64, description="Server processes.")
    data_dir: Path = Field(
        PROJECT / ".parley", description="Folder of the embedded PostgreSQL and of the key for development."
    )

    # These are addresses with passwords in them, so they stay out of every repr.
    database_url: str | None = Field(
        None, repr=False, description="PostgreSQL 15 or later, as `postgresql://user:password@host/database`. Without it an embedded PostgreSQL runs in `PARLEY_DATA_DIR`."
    )  # fmt: skip
    migration_url: str | None = Field(
        None, repr=False, description="The same database as the owner of the tables, for migrations, where `PARLEY_DATABASE_URL` may not change them."
    )  # fmt: skip
    listen_url: str | None = Field(
        None, repr=False, description="The same database by another way, for LISTEN, where `PARLEY_DATABASE_URL` is a pooler in session mode whose connections are few."
    )  # fmt: skip
    broker_url: str | None = Field(
        None, repr=False, description="Redis that carries the wake-ups between processes in place of PostgreSQL, as `redis://user:password@host:6379`, with TLS `rediss://`."
    )  # fmt: skip
    pool_size: int = Field(
        10,
        ge=1,
        le=500,
        description="Database connections of each worker, beside six of its own.",
    )

    token_secret: SecretStr | None = Field(
        None, description="Secret that signs tokens with HS256: at least 32 bytes. With none of this and the two JWKS settings the server makes a key for itself (development)."
    )  # fmt: skip
    token_jwks_url: str | None = Field(None, description="Address of a JWK set whose keys sign tokens.")
    token_jwks_file: Path | None = Field(None, description="File with a JWK set whose keys sign tokens.")
    token_algorithms: Annotated[tuple[Algorithm, ...], NoDecode] = Field(
        (), description="Algorithms a token may be signed with, comma-separated, of HS256 (secret), RS256, ES256 and EdDSA (JWK set). Empty: all that fit the key."
    )  # fmt: skip
    token_audience: str | None = Field(None, min_length=1, description="`aud` a token must have.")
    token_issuer: str | None = Field(None, min_length=1, description="`iss` a token must have.")

    public_url: str | None = Field(
        None, description="Where clients reach this server, as `https://chat.example.com`: the addresses of files begin with it. Without it they begin with `/`, and count from the address of the API."
    )  # fmt: skip
    attachments_dir: Path | None = Field(
        None, description="Folder of the files that are attached to messages; the servers of a database share it. Without it `attachments` in `PARLEY_DATA_DIR`."
    )  # fmt: skip
    attachment_types: Annotated[tuple[str, ...], NoDecode] = Field(
        ("image", "audio", "video", "pdf", "text", "office", "zip"), description="What may be attached, comma-separated: groups, and content types by themselves (`application/json`)."
    )  # fmt: skip
    attachment_url_seconds: int = Field(
        3600, ge=60, le=302_400, description="Seconds for which the address of a file is good at least, and twice as long at most."
    )  # fmt: skip
    upload_url_seconds: int = Field(
        900, ge=10, le=86_400, description="Seconds for which a file may be uploaded after it was announced."
    )  # fmt: skip
    unsent_upload_seconds: int = Field(
        86_400, ge=60, le=31_536_000, description="Seconds after which an upload that is in no message is forgotten."
    )  # fmt: skip
    s3_bucket: str | None = Field(
        None, min_length=3, description="Bucket that holds the files in place of `PARLEY_ATTACHMENTS_DIR`. Clients load from it and upload to it themselves."
    )  # fmt: skip
    s3_prefix: str = Field("", max_length=500, description="What the names of its objects begin with: `parley/`.")
    s3_endpoint_url: str | None = Field(
        None, description="Address of a store that speaks S3, as clients reach it too. Without it: Amazon's."
    )  # fmt: skip
    s3_region: str | None = Field(None, min_length=1, description="Region of the bucket.")
    s3_access_key_id: str | None = Field(
        None, min_length=1, description="Access key. Without it, what boto3 finds: a profile, or the role of the machine."
    )  # fmt: skip
    s3_secret_access_key: SecretStr | None = Field(None, description="The secret of that key.")

    encryption_keys: SecretStr | None = Field(
        None, description="Keys that encrypt sensitive conversations, comma-separated, each as `id:key`: 32 bytes in base64 (`openssl rand -base64 32`) and a name for them. The first one encrypts, all of them decrypt."
    )  # fmt: skip

    allowed_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of web pages, comma-separated (`https://app.example.com`), that may call the API from a browser beside the server's own. `*` allows all."
    )  # fmt: skip

    max_body_length: int = Field(10_000, ge=1, le=1_000_000, description="Longest message, in characters.")
    edit_window: int | None = Field(
        None,
        ge=0,
        description="Seconds after sending in which a message can be edited. Without it, always; `0`: never.",
    )
    max_repeats: int = Field(
        20, ge=0, le=10_000, description="How often one sender may say the same within a minute, counted by each server process. `0`: any number of times."
    )  # fmt: skip
    word_list: Path | None = Field(
        None, description="File with words and phrases, one a line, that are not to be sent; those behind a `?` are sent with a warning."
    )  # fmt: skip
    content_check: str | None = Field(
        None, pattern=r"^[\w.]+:\w+$", description="Import path `package.module:name` of a content check of your own: docs/moderation.md."
    )  # fmt: skip
    content_check_timeout: float = Field(
        2, gt=0, le=30, description="Seconds that `PARLEY_CONTENT_CHECK` may take for a message."
    )
    content_check_failure: CheckFailure = Field(
        "allow", description="What becomes of a message that it could not check: `allow`, `flag` or `reject`."
    )
    hide_blocked: bool = Field(
        True, description="Whether clients are told to fold away what people say in groups whom the viewer blocks."
    )
    max_reactions_per_message: int = Field(
        20, ge=1, le=1000, description="Different emoji with which people can react to one message."
    )
    markdown_images: bool = Field(
        False, description="Whether images in Markdown are shown by `bodyHtml`. A browser that loads one tells its server who reads when; by default they are links."
    )  # fmt: skip
    context_url: str | None = Field(
        None, repr=False, description="Address in your application that says whether a context may be talked about: docs/contexts.md."
    )  # fmt: skip
    context_secret: SecretStr | None = Field(
        None, description="Secret that signs what `PARLEY_CONTEXT_URL` is asked: at least 32 bytes."
    )
    context_timeout: float = Field(2, gt=0, le=30, description="Seconds in which `PARLEY_CONTEXT_URL` has to answer.")
    context_failure: ContextFailure = Field(
        "refuse", description="What becomes of a context that could not be asked about: `allow` or `refuse`."
    )
    max_scheduled_messages: int = Field(
        100, ge=0, le=10_000, description="Messages of one user that wait to be sent at their time."
    )
    max_schedule_days: int = Field(365, ge=1, le=3650, description="How far ahead a message may be scheduled, in days.")
    max_attachment_bytes: int = Field(
        26_214_400, ge=1, le=2_147_483_647, description="Largest file that may be attached to a message, in bytes."
    )
    max_attachments: int = Field(10, ge=0, le=100, description="Files of one message. `0`: none may be attached.")
    max_unsent_uploads: int = Field(50, ge=1, le=10_000, description="Uploads of one user that are in no message yet.")
    presence_grace: float = Field(
        3, ge=0, le=60, description="Seconds without a websocket after which somebody is offline; who is back before was never away."
    )  # fmt: skip
    presence_lifetime: float = Field(
        15, ge=1, le=300, description="Seconds after which the users of a server process that was killed are offline."
    )
    rate_limits: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Calls a minute of one user, comma-separated, where they are not to be the defaults: `sendMessage=200,blockUser=unlimited`. `*` stands for every mutation that is not named."
    )  # fmt: skip
    max_participants: int = Field(1_000, ge=2, le=10_000, description="Most people in a conversation.")
    max_pinned_messages: int = Field(50, ge=1, le=500, description="Most pinned messages of a conversation.")
    search_language: str = Field(
        "simple",
        pattern=r"^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?$",
        description="Text search configuration of PostgreSQL by which words are found: `simple` finds them as they are written, `english` and others in all their forms. With another one, all messages are taken into the search again.",
    )  # fmt: skip
    cache_size: int = Field(
        50_000, ge=0, le=10_000_000, description="Messages that each server process keeps in memory to answer with, and as many users; with what was told of it, about a kilobyte each. What is kept is only told after the database has said that it still holds. `0`: everything is read anew."
    )  # fmt: skip
    max_request_bytes: int = Field(
        1_048_576, ge=1024, le=104_857_600, description="Largest HTTP body and websocket message, in bytes."
    )
    max_query_tokens: int = Field(2000, ge=100, le=100_000, description="Longest GraphQL document, in tokens.")
    max_query_depth: int = Field(20, ge=5, le=100, description="Deepest nesting of fields in a GraphQL document.")
    max_sockets_per_user: int = Field(
        100, ge=1, le=1_000_000, description="Open websockets of one user on each server process."
    )
    max_operations_per_socket: int = Field(
        100, ge=1, le=10_000, description="Operations under way at a time on one websocket."
    )

    log_retention_days: int = Field(
        0, ge=0, le=36_500, description="Days for which the log of events reaches back; a client whose cursor is older is told to load anew (`ResyncRequired`). `0`: for ever."
    )  # fmt: skip
    retention_direct_days: int = Field(
        0, ge=0, le=36_500, description="Days after which messages of direct conversations are removed, with all that belongs to them. `0`: never."
    )  # fmt: skip
    retention_group_days: int = Field(
        0, ge=0, le=36_500, description="Days after which messages of groups are removed, with all that belongs to them. `0`: never."
    )  # fmt: skip

    ping_interval: float = Field(20, ge=1, le=3600, description="Seconds from one ping to the next on a websocket.")
    ping_timeout: float = Field(
        20, ge=1, le=3600, description="Seconds in which a ping must be answered; else the websocket is closed."
    )
    drain_seconds: float = Field(
        3, ge=0, le=300, description="Seconds over which a server that stops spreads the closing of its websockets, so that their clients do not all come back in one instant. `0` closes them at once."
    )  # fmt: skip

    log_level: LogLevel = Field("info", description="`debug`, `info`, `warning` or `error`.")
    log_format: LogFormat = Field("auto", description="`json`, `console`, or `auto`: console in a terminal, else JSON.")

    @property
    def policy(self) -> Policy:
        """The settings about messaging itself."""
        return Policy(**{field.name: getattr(self, field.name) for field in fields(Policy)})

    @property
    def has_token_key(self) -> bool:
        """Whether tokens come from elsewhere. Without, the server makes its own key: for development, on this machine only."""
        return any((self.token_secret, self.token_jwks_url, self.token_jwks_file))

    @property
    def keys(self) -> dict[str, bytes]:
        """Those that encrypt, by their ids, in their order."""
        return dict(_keys(self.encryption_keys.get_secret_value())) if self.encryption_keys else {}

    def shown(self) -> dict[str, str]:
        """Every setting as its variable would give it, except what is secret: that is "(hidden)"."""
        return {name: "(hidden)" if name in _SECRET and value else _text(value) for name, value in self}

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 -- the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    @model_validator(mode="before")
    @classmethod
    def _not_empty(cls, values: dict[str, Any]) -> dict[str, Any]:
        # Empty is what a variable that was to be filled in looks like; taking it as "not set" would start a server on
        # another database, or with a key of its own.
        if empty := [name for name, value in values.items() if value == ""]:
            raise ValueError("; ".join(f"{variable(name)} is empty: give it a value or unset it" for name in empty))
        return values

    @field_validator("token_algorithms", "allowed_origins", "attachment_types", "rate_limits", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(item.strip() for item in value.split(",")) if isinstance(value, str) else value

    @field_validator("log_level", "log_format", mode="before")
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("data_dir", "token_jwks_file", "attachments_dir", "word_list")
    @classmethod
    def _home(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @field_validator("database_url", "migration_url", "listen_url")
    @classmethod
    def _is_postgresql(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if value.startswith("postgres://"):  # as several providers hand it out
            value = value.replace("postgres://", "postgresql://", 1)
        if not value.startswith("postgresql://"):
            raise ValueError(f"must begin with postgresql://, not with {value.partition(':')[0][:20]!r}")
        return _address(value)

    @field_validator("broker_url")
    @classmethod
    def _is_redis(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("redis://", "rediss://")):
            raise ValueError(f"must begin with redis:// or rediss://, not with {value.partition(':')[0][:20]!r}")
        return _address(value)

    @field_validator("token_secret", "context_secret")
    @classmethod
    def _is_long(cls, value: SecretStr | None) -> SecretStr | None:
        if value and (size := len(value.get_secret_value().encode())) < _MINIMUM_SECRET_BYTES:
            raise ValueError(
                f"has {size} bytes; HS256 needs at least {_MINIMUM_SECRET_BYTES}: try `openssl rand -base64 48`"
            )
        return value

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value:
            _keys(value.get_secret_value())
        return value

    @field_validator("token_jwks_url", "public_url", "s3_endpoint_url", "context_url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        if value and not re.match(r"https?://[^/]", value):
            raise ValueError("must begin with https:// or http://")
        return value

    @field_validator("token_jwks_file", "word_list")
    @classmethod
    def _is_file(cls, value: Path | None) -> Path | None:
        if value and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if origin != "*" and not re.fullmatch(r"https?://[^/\s?#@]+", origin):
                raise ValueError(f"{origin!r} is no origin: write scheme://host or scheme://host:port, without a path")
        return value

    @field_validator("attachment_types")
    @classmethod
    def _are_types(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in GROUPS and not re.fullmatch(r"[a-z]+/[a-z0-9.+-]+", name):
                raise ValueError(f"{name!r} is neither a content type nor one of {', '.join(GROUPS)}")
        return value

    @field_validator("rate_limits")
    @classmethod
    def _are_rates(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        rates(value)
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        problems = [*_token_problems(self), *_database_problems(self), *_file_problems(self)]
        if problems:
            raise ValueError("\n".join(problems))
        return self


def load(**given: object) -> Settings:
    """The settings of this process; `given` (from the command line) comes before the environment. Raises SettingsError."""
    problems = list(_unknown(os.environ))
    try:
        settings = Settings(**given)  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        raise SettingsError(problems + _problems(error)) from error
    if problems:
        raise SettingsError(problems)
    return settings


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + name.upper()


def _unknown(environment: Iterable[str]) -> Iterable[str]:
    known = [variable(name) for name in Settings.model_fields]
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            # Compared without the prefix, which makes everything alike.
            near = difflib.get_close_matches(name.upper().removeprefix(PREFIX).lower(), Settings.model_fields, n=1)
            hint = f"did you mean {variable(near[0])}?" if near else "docs/settings.md lists all"
            yield f"{name} is not a setting: {hint}"


def _problems(error: ValidationError) -> list[str]:
    """A line for each error: what the validators of ours say, or pydantic's words behind the variable and its value."""
    lines: list[str] = []
    for found in error.errors():
        cause = found.get("ctx", {}).get("error")
        said = str(cause) if isinstance(cause, ValueError) else found["msg"]
        if not found["loc"]:
            lines += said.splitlines()
            continue
        name = str(found["loc"][0])
        lines.append(f"{variable(name)}{_shown(name, found['input'])}: {said[:1].lower()}{said[1:]}")
    return lines


# Whose values never reach a screen or a log; addresses may hold a password.
_SECRET = {
    "context_url",
    "context_secret",
    "encryption_keys",
    "token_secret",
    "s3_secret_access_key",
    "database_url",
    "migration_url",
    "listen_url",
    "broker_url",
}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)


def _shown(name: str, value: object) -> str:
    return "" if name in _SECRET else f"={str(value)[:80]}"


def _address(url: str) -> str:
    """The same, when it can be taken apart."""
    try:
        urlsplit(url).port  # noqa: B018 -- reading it checks it
    except ValueError:
        # Without the cause, whose words may hold a part of the password.
        raise ValueError(
            "is no address: a / ? # @ or : in its user or password must be written %2F %3F %23 %40 %3A"
        ) from None
    return url


def _keys(text: str) -> list[tuple[str, bytes]]:
    """Each key behind its id; an error says nothing of a key."""
    found: list[tuple[str, bytes]] = []
    for number, item in enumerate(text.split(","), 1):
        name, _, encoded = item.strip().partition(":")
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", name) or not encoded:
            raise ValueError(f"key {number} is not written as id:key, with an id of up to 32 letters, digits, - and _")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            raise ValueError(f"key {name!r} is not in base64: try `openssl rand -base64 32`") from None
        if len(key) != _KEY_BYTES:
            raise ValueError(
                f"key {name!r} has {len(key)} bytes; AES-256 needs {_KEY_BYTES}: try `openssl rand -base64 32`"
            )
        if name in dict(found):
            raise ValueError(f"there are two keys {name!r}")
        found.append((name, key))
    return found


def _token_problems(settings: Settings) -> Iterable[str]:
    sources = ("token_secret", "token_jwks_url", "token_jwks_file")
    given = [variable(name) for name in sources if getattr(settings, name)]
    if len(given) > 1:
        yield f"{' and '.join(given)} are set together: tokens are signed with one of them, unset the other"
    fitting = {"HS256"} if settings.token_secret or not given else {"RS256", "ES256", "EdDSA"}
    for algorithm in settings.token_algorithms:
        if algorithm not in fitting:
            key = given[0] if given else "the key for development"
            yield f"PARLEY_TOKEN_ALGORITHMS={algorithm}: {key} can only mean {', '.join(sorted(fitting))}"
    if not settings.has_token_key and not _is_loopback(settings.host):
        yield (
            f"PARLEY_HOST={settings.host}: without a token key everybody who reaches the server could be anybody, so it listens "
            "on this machine only; set PARLEY_TOKEN_SECRET, PARLEY_TOKEN_JWKS_URL or PARLEY_TOKEN_JWKS_FILE"
        )


def _database_problems(settings: Settings) -> Iterable[str]:
    if settings.database_url is None:
        for name in ("migration_url", "listen_url"):
            if getattr(settings, name):
                yield f"{variable(name)} is set without PARLEY_DATABASE_URL: set both or none"
        connections = settings.workers * (settings.pool_size + _CONNECTIONS_BESIDE_POOL)
        if connections > _EMBEDDED_CONNECTIONS:
            yield (
                f"PARLEY_WORKERS={settings.workers} with PARLEY_POOL_SIZE={settings.pool_size} need {connections} connections; the "
                f"embedded PostgreSQL has {_EMBEDDED_CONNECTIONS} for them: lower one, or set PARLEY_DATABASE_URL"
            )
    if settings.broker_url and settings.listen_url:
        yield "PARLEY_BROKER_URL and PARLEY_LISTEN_URL are set together: wake-ups go one way, unset the other"
    if bool(settings.context_url) != bool(settings.context_secret):
        yield "PARLEY_CONTEXT_URL and PARLEY_CONTEXT_SECRET go together: set both or none"
    if settings.max_request_bytes < 4 * settings.max_body_length:
        yield (
            f"PARLEY_MAX_REQUEST_BYTES={settings.max_request_bytes} is less than a message of "
            f"PARLEY_MAX_BODY_LENGTH={settings.max_body_length} characters may take: 4 bytes each"
        )


def _file_problems(settings: Settings) -> Iterable[str]:
    if settings.s3_bucket is None:
        for name in ("s3_prefix", "s3_endpoint_url", "s3_region", "s3_access_key_id", "s3_secret_access_key"):
            if getattr(settings, name):
                yield f"{variable(name)} is set without PARLEY_S3_BUCKET: set the bucket, or neither"
    elif settings.attachments_dir:
        yield "PARLEY_S3_BUCKET and PARLEY_ATTACHMENTS_DIR are set together: files are kept in one place, unset the other"
    if (settings.s3_access_key_id is None) != (settings.s3_secret_access_key is None):
        yield "PARLEY_S3_ACCESS_KEY_ID and PARLEY_S3_SECRET_ACCESS_KEY go together: set both or none"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
