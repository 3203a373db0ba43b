"""What settings are accepted, and what is said about those that are not."""

import base64
import os
from pathlib import Path

import pytest

import settings
from settings import PROJECT, Settings, SettingsError

SECRET = "0123456789abcdef0123456789abcdef"
KEY = base64.b64encode(SECRET.encode()).decode()


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the person who runs the tests."""
    for name in os.environ:
        if name.startswith("PARLEY_"):
            monkeypatch.delenv(name)


def problems(monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[str, ...]:
    for name, value in environment.items():
        monkeypatch.setenv(f"PARLEY_{name}", value)
    with pytest.raises(SettingsError) as caught:
        settings.load()
    return caught.value.problems


def test_defaults_are_enough() -> None:
    """Nothing has to be set."""
    configured = settings.load()
    assert (configured.host, configured.port, configured.database_url) == ("127.0.0.1", 8000, None)
    assert configured.data_dir == PROJECT / ".parley"
    assert not configured.has_token_key


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables arrive with their types; lists are separated by commas."""
    monkeypatch.setenv("PARLEY_PORT", "9000")
    monkeypatch.setenv("PARLEY_LOG_LEVEL", "WARNING")
    monkeypatch.setenv("PARLEY_ALLOWED_ORIGINS", "https://a.example, http://localhost:3000")
    monkeypatch.setenv("PARLEY_DATA_DIR", "~/parley")
    configured = settings.load()
    assert (configured.port, configured.log_level) == (9000, "warning")
    assert configured.allowed_origins == ("https://a.example", "http://localhost:3000")
    assert configured.data_dir == Path.home() / "parley"


def test_the_command_line_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is given beats the environment."""
    monkeypatch.setenv("PARLEY_PORT", "9000")
    assert settings.load(port=9001).port == 9001


def test_settings_do_not_change() -> None:
    """Settings are frozen."""
    with pytest.raises(ValueError, match="frozen"):
        settings.load().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "x", "PARLEY_PORT=x: input should be a valid integer, unable to parse string as an integer"),
        ("PORT", "0", "PARLEY_PORT=0: input should be greater than or equal to 1"),
        ("HSOT", "::1", "PARLEY_HSOT is not a setting: did you mean PARLEY_HOST?"),
        ("ZZZ", "1", "PARLEY_ZZZ is not a setting: docs/settings.md lists all"),
        ("PORT", "", "PARLEY_PORT is empty: give it a value or unset it"),
        ("DATABASE_URL", "mysql://a:b@c/d", "PARLEY_DATABASE_URL: must begin with postgresql://, not with 'mysql'"),
        (
            "DATABASE_URL",
            "postgresql+asyncpg://h/d",
            "PARLEY_DATABASE_URL: must begin with postgresql://, not with 'postgresql+asyncpg'",
        ),
        (
            "DATABASE_URL",
            "postgresql://u:hunter/2@h/d",
            "PARLEY_DATABASE_URL: is no address: a / ? # @ or : in its user or password must be written %2F %3F %23 %40 %3A",
        ),
        ("LISTEN_URL", "postgresql://h/d", "PARLEY_LISTEN_URL is set without PARLEY_DATABASE_URL: set both or none"),
        ("BROKER_URL", "nats://h", "PARLEY_BROKER_URL: must begin with redis:// or rediss://, not with 'nats'"),
        (
            "BROKER_URL",
            "redis://:hunter/2@h",
            "PARLEY_BROKER_URL: is no address: a / ? # @ or : in its user or password must be written %2F %3F %23 %40 %3A",
        ),
        (
            "TOKEN_SECRET",
            "short",
            "PARLEY_TOKEN_SECRET: has 5 bytes; HS256 needs at least 32: try `openssl rand -base64 48`",
        ),
        ("TOKEN_JWKS_URL", "ftp://keys", "PARLEY_TOKEN_JWKS_URL=ftp://keys: must begin with https:// or http://"),
        ("TOKEN_JWKS_FILE", "/no/such", "PARLEY_TOKEN_JWKS_FILE=/no/such: there is no file /no/such"),
        (
            "TOKEN_ALGORITHMS",
            "none",
            "PARLEY_TOKEN_ALGORITHMS=none: input should be 'HS256', 'RS256', 'ES256' or 'EdDSA'",
        ),
        ("TOKEN_ALGORITHMS", "RS256", "PARLEY_TOKEN_ALGORITHMS=RS256: the key for development can only mean HS256"),
        (
            "ALLOWED_ORIGINS",
            "https://a.example/app",
            "PARLEY_ALLOWED_ORIGINS=https://a.example/app: 'https://a.example/app' is no origin: write scheme://host or scheme://host:port, without a path",
        ),
        (
            "ENCRYPTION_KEYS",
            "secret",
            "PARLEY_ENCRYPTION_KEYS: key 1 is not written as id:key, with an id of up to 32 letters, digits, - and _",
        ),
        ("ENCRYPTION_KEYS", "a:?", "PARLEY_ENCRYPTION_KEYS: key 'a' is not in base64: try `openssl rand -base64 32`"),
        (
            "ENCRYPTION_KEYS",
            "a:c2VjcmV0",
            "PARLEY_ENCRYPTION_KEYS: key 'a' has 6 bytes; AES-256 needs 32: try `openssl rand -base64 32`",
        ),
        ("ENCRYPTION_KEYS", f"a:{KEY},a:{KEY}", "PARLEY_ENCRYPTION_KEYS: there are two keys 'a'"),
        (
            "ATTACHMENT_TYPES",
            "image,movies",
            "PARLEY_ATTACHMENT_TYPES=image,movies: 'movies' is neither a content type nor one of image, audio, video, pdf, text, office, zip",
        ),
        ("PUBLIC_URL", "chat.example", "PARLEY_PUBLIC_URL=chat.example: must begin with https:// or http://"),
        ("S3_REGION", "eu-1", "PARLEY_S3_REGION is set without PARLEY_S3_BUCKET: set the bucket, or neither"),
        (
            "WORKERS",
            "8",
            "PARLEY_WORKERS=8 with PARLEY_POOL_SIZE=10 need 128 connections; the embedded PostgreSQL has 90 for them: lower one, or set PARLEY_DATABASE_URL",
        ),
        (
            "MAX_BODY_LENGTH",
            "500000",
            "PARLEY_MAX_REQUEST_BYTES=1048576 is less than a message of PARLEY_MAX_BODY_LENGTH=500000 characters may take: 4 bytes each",
        ),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each problem is one line with the variable, its value unless it may hold a secret, and what to do."""
    assert problems(monkeypatch, **{name: value}) == (said,)


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody has to correct one variable to hear of the next."""
    assert len(problems(monkeypatch, PORT="x", HSOT="y", POOL_SIZE="0")) == 3


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "parley.example"])  # noqa: S104
def test_without_a_key_only_this_machine(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that makes its own key refuses to listen where others could reach it."""
    assert problems(monkeypatch, HOST=host)[0].startswith(f"PARLEY_HOST={host}: without a token key")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    """Every name of this machine for itself will do."""
    assert settings.load(host=host).host == host


def test_with_a_key_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configured key opens the server to other machines."""
    monkeypatch.setenv("PARLEY_TOKEN_SECRET", SECRET)
    assert settings.load(host="0.0.0.0").has_token_key  # noqa: S104


def test_one_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret and a JWK set together are refused: which of them counts would be a guess."""
    said = problems(monkeypatch, TOKEN_SECRET=SECRET, TOKEN_JWKS_URL="https://keys.example/jwks")
    assert said == (
        "PARLEY_TOKEN_SECRET and PARLEY_TOKEN_JWKS_URL are set together: tokens are signed with one of them, unset the other",
    )


def test_one_way_for_wakeups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker and an address for LISTEN together are refused: only one of them would be used."""
    addresses = {"DATABASE_URL": "postgresql://h/d", "LISTEN_URL": "postgresql://l/d", "BROKER_URL": "rediss://h"}
    said = problems(monkeypatch, **addresses)
    assert said == ("PARLEY_BROKER_URL and PARLEY_LISTEN_URL are set together: wake-ups go one way, unset the other",)


def test_one_place_for_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A bucket and a folder together are refused, and half a key."""
    said = problems(monkeypatch, S3_BUCKET="files", ATTACHMENTS_DIR=str(tmp_path), S3_ACCESS_KEY_ID="key")
    assert said == (
        "PARLEY_S3_BUCKET and PARLEY_ATTACHMENTS_DIR are set together: files are kept in one place, unset the other",
        "PARLEY_S3_ACCESS_KEY_ID and PARLEY_S3_SECRET_ACCESS_KEY go together: set both or none",
    )


def test_keys_have_an_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one encrypts."""
    monkeypatch.setenv("PARLEY_ENCRYPTION_KEYS", f"new:{KEY}, old:{KEY}")
    assert list(settings.load().keys.items()) == [("new", SECRET.encode()), ("old", SECRET.encode())]
    monkeypatch.delenv("PARLEY_ENCRYPTION_KEYS")
    assert settings.load().keys == {}


def test_an_algorithm_that_fits_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """HS256 with a JWK set would let anybody who reads the public keys sign."""
    said = problems(monkeypatch, TOKEN_JWKS_URL="https://keys.example/jwks", TOKEN_ALGORITHMS="HS256,RS256")
    assert said == ("PARLEY_TOKEN_ALGORITHMS=HS256: PARLEY_TOKEN_JWKS_URL can only mean ES256, EdDSA, RS256",)


def test_the_providers_scheme_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    """Postgres:// is what several providers hand out."""
    monkeypatch.setenv("PARLEY_DATABASE_URL", "postgres://u:p@h/d")
    assert settings.load().database_url == "postgresql://u:p@h/d"


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither repr nor check-config nor an error shows a password or a secret."""
    monkeypatch.setenv("PARLEY_DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("PARLEY_BROKER_URL", "redis://:hunter2@h")
    monkeypatch.setenv("PARLEY_TOKEN_SECRET", SECRET)
    monkeypatch.setenv("PARLEY_ENCRYPTION_KEYS", f"a:{KEY}")
    configured = settings.load()
    wrong = {"DATABASE_URL": "mysql://u:hunter2@h/d", "BROKER_URL": "nats://:hunter2@h", "TOKEN_SECRET": "hunter2"}
    said = problems(monkeypatch, **wrong)
    shown = f"{configured!r} {configured.shown()} {said}"
    assert "hunter2" not in shown
    assert SECRET not in shown
    assert KEY not in shown


def test_the_documentation_lists_every_setting() -> None:
    """docs/settings.md holds exactly these settings, their defaults and their meaning."""
    rows = [row for row in (PROJECT / "docs" / "settings.md").read_text().splitlines() if row.startswith("| `PARLEY_")]
    defaults = Settings.model_construct().shown() | {"data_dir": "`.parley` in the project"}
    expected = []
    for name, field in Settings.model_fields.items():
        default = defaults[name] if name == "data_dir" else f"`{defaults[name]}`" if defaults[name] else ""
        expected.append(f"| `{settings.variable(name)}` | {default} | {field.description} |")
    assert rows == expected
