"""The command line: `python server.py COMMAND`.

Modules of ours and libraries that take long to load are imported inside the commands that need them: `token`,
`check-config` and `--help` answer in a fraction of the time it takes to load the whole server.
"""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

import settings
from settings import Settings, SettingsError

app = typer.Typer(
    help="Parley: a GraphQL messaging server. Without a command it serves. Settings are environment variables: docs/settings.md.",
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
)

_WRONG_SETTING = 2
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def main() -> None:
    """Run the command that the command line names; a failure that somebody can do something about is one line on stderr."""
    arguments = sys.argv[1:]
    if not arguments or (arguments[0].startswith("-") and arguments[0] != "--help"):
        arguments = ["serve", *arguments]
    try:
        app(arguments, prog_name="server.py")
    except SettingsError as error:
        for problem in error.problems:
            typer.echo(f"parley: {problem}", err=True)
        sys.exit(_WRONG_SETTING)
    except Exception as error:
        from failures import explanation  # noqa: PLC0415 -- knows errors of libraries that load slowly

        said = explanation(error)
        if said is None:
            raise
        typer.echo(f"parley: {said}", err=True)
        sys.exit(1)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.", show_default="PARLEY_HOST")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port to listen on.", show_default="PARLEY_PORT")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes.", show_default="PARLEY_WORKERS")] = None,
) -> None:
    """Start the server, with a database of its own where PARLEY_DATABASE_URL names none."""
    given = {"host": host, "port": port, "workers": workers}
    configured = settings.load(**{name: value for name, value in given.items() if value is not None})
    import serving  # noqa: PLC0415

    serving.run(configured)


@app.command()
def migrate(
    to: Annotated[str, typer.Option(help="Revision to go to.")] = "head",
    *,
    back: Annotated[
        bool, typer.Option("--back", help="Go back to that revision: what newer ones added is removed, with its data.")
    ] = False,
) -> None:
    """Bring the tables to the version this code was written for."""
    configured = settings.load()
    if back and to == "head":
        raise typer.BadParameter("--back needs --to: the revision to go back to")
    from db import migrate as migrations  # noqa: PLC0415

    with _database(configured) as url:
        asyncio.run(migrations.downgrade(url, to) if back else migrations.upgrade(url, to))
        typer.echo(f"the database is at {asyncio.run(migrations.current(url)) or 'base: it is empty'}")


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="NDJSON, plain or gzip; - is standard input."),
    ],
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and count everything, write nothing.")] = False,
) -> None:
    """Make a history of users, conversations and messages live; run again, it adds what is missing.

    Lines that cannot be imported are reported and written to FILE.rejects.ndjson; the others land, and the exit code is 1.
    """
    configured = settings.load()
    # Before a database is started for them. Not by the argument's own check, which knows no "-".
    for file in files:
        if str(file) != "-" and (file.is_dir() or not file.exists()):
            raise typer.BadParameter(f"there is no file {file}")
    from rich.console import Console  # noqa: PLC0415

    from resolvers import imports  # noqa: PLC0415

    console = Console(stderr=True)
    with _migrated_database(configured) as url:
        summary = asyncio.run(
            imports.run(
                url,
                ["-" if str(file) == "-" else file for file in files],
                dry_run=dry_run,
                max_body_length=configured.max_body_length,
                console=console,
            )
        )
    raise typer.Exit(summary.exit_code)


@app.command()
def export(
    user: Annotated[str | None, typer.Option(metavar="HANDLE", help="All that this user may read.")] = None,
    conversation: Annotated[str | None, typer.Option(metavar="ID", help="This conversation, all of it.")] = None,
    output: Annotated[
        str, typer.Option(metavar="FILE", help="Where to; compressed where the name ends in .gz; - is standard output.")
    ] = "-",
) -> None:
    """Write a user's conversations, or one conversation, as the NDJSON that `import` reads."""
    configured = settings.load()
    if (user is None) == (conversation is None):
        raise typer.BadParameter("give either --user or --conversation")
    import outputs  # noqa: PLC0415
    from db.encryption import Keyring  # noqa: PLC0415
    from resolvers import exports  # noqa: PLC0415

    async def run(url: str) -> int:
        count = 0
        async for line in exports.lines(url, Keyring(configured.keys), user=user, conversation=conversation):
            file.write(line)
            count += 1
        return count

    with _migrated_database(configured) as url, outputs.opened(output) as file:
        count = asyncio.run(run(url))
    typer.echo(f"{count:,} lines", err=True)


@app.command()
def erase(
    user: Annotated[str, typer.Option(metavar="HANDLE", help="Who is to be erased.")],
    messages: Annotated[
        str,
        typer.Option(metavar="delete|keep", help="What becomes of their messages: tombstones, or messages of nobody."),
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a person for good: nothing in the database or among the files names them afterwards.

    Servers may run meanwhile. Run again, it goes on where it broke off, and does nothing where there is nobody.
    """
    configured = settings.load()
    if messages not in {"delete", "keep"}:
        raise typer.BadParameter("--messages is delete or keep")
    if not yes:
        typer.confirm(f"Erase {user} for good?", abort=True, err=True)
    import files  # noqa: PLC0415
    from db.encryption import Keyring  # noqa: PLC0415
    from db.pool import Database  # noqa: PLC0415
    from resolvers import erasing  # noqa: PLC0415

    async def run(url: str) -> bool:
        database = await Database.open(url, pool_size=1, keyring=Keyring(configured.keys))
        try:
            storage = files.opened(configured).storage
            return await erasing.erase(database, storage, user, keeps_messages=messages == "keep")
        finally:
            await database.close()

    with _migrated_database(configured) as url:
        was_there = asyncio.run(run(url))
    typer.echo(f"{user} is erased" if was_there else f"there is nobody of the handle {user!r}")


@app.command()
def seed() -> None:
    """Add a small demo: people, a direct and a group conversation, unread messages. Run again, it adds nothing."""
    configured = settings.load()
    import files  # noqa: PLC0415
    import logs  # noqa: PLC0415
    from db.encryption import Keyring  # noqa: PLC0415
    from resolvers import demo, service  # noqa: PLC0415

    logs.configure("warning", configured.log_format)

    async def run(url: str) -> None:
        keyring = Keyring(configured.keys)
        async with service.running(url, files=files.opened(configured), keyring=keyring, pool_size=1) as started:
            await demo.seed(started)

    with _migrated_database(configured) as url:
        asyncio.run(run(url))
    typer.echo("the demo is there: ada, grace, linus and margaret; for a token run `token --user ada`")


@app.command()
def token(
    user: Annotated[str, typer.Option(metavar="HANDLE", help="Whom the token speaks for: the handle of a user.")],
    name: Annotated[str | None, typer.Option(help="Name the user's profile gets.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="Role the user has; may be given several times.")] = None,
    lifetime: Annotated[str, typer.Option(metavar="DURATION", help="How long it is valid: 30m, 24h, 7d.")] = "24h",
) -> None:
    """Print a token, signed with PARLEY_TOKEN_SECRET or, where no key is configured, with the key for development."""
    configured = settings.load()
    from resolvers import development, tokens  # noqa: PLC0415

    if configured.token_secret:
        secret = configured.token_secret.get_secret_value()
    elif configured.has_token_key:
        raise typer.BadParameter("tokens are signed by whoever has the private keys of the JWK set, not by Parley")
    else:
        secret = development.secret(configured.data_dir)
    minted = tokens.mint(
        secret,
        user,
        name=name,
        roles=role or (),
        lifetime=_duration(lifetime),
        audience=configured.token_audience,
        issuer=configured.token_issuer,
    )
    typer.echo(minted)


@app.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from schema.schema import sdl  # noqa: PLC0415

    typer.echo(sdl(), nl=False)


@app.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt sensitive conversations anew by the first of PARLEY_ENCRYPTION_KEYS, after which the others are not needed.

    It may be interrupted and run again, and servers may run meanwhile, once all of them have that key as their first.
    """
    configured = settings.load()
    from db import rotation  # noqa: PLC0415
    from db.encryption import Keyring  # noqa: PLC0415

    keyring = Keyring(configured.keys)
    with _migrated_database(configured) as url:
        count = asyncio.run(rotation.rotate(url, keyring, told=lambda total: typer.echo(f"{total} texts", err=True)))
    typer.echo(f"{count} texts were encrypted anew; everything is encrypted by {keyring.first!r}")


@app.command("check-config")
def check_config(
    *,
    keys: Annotated[bool, typer.Option("--keys", help="Try PARLEY_ENCRYPTION_KEYS on the database too.")] = False,
) -> None:
    """Show the settings, those that are defaults behind a #, without starting anything; exit code 2 when one is wrong."""
    configured = settings.load()
    if keys:
        from db import encryption_keys  # noqa: PLC0415
        from db.encryption import Keyring  # noqa: PLC0415

        with _migrated_database(configured) as url:
            asyncio.run(encryption_keys.try_on(url, Keyring(configured.keys)))
    for name, value in configured.shown().items():
        typer.echo(f"{'' if name in configured.model_fields_set else '# '}{settings.variable(name)}={value}")


def _database(configured: Settings) -> AbstractContextManager[str]:
    """The URL for work on the tables: the configured database, or the embedded one, which is started where it does not run."""
    if configured.database_url:
        return _external(configured.migration_url or configured.database_url)
    # Not where a database is configured: this module needs a system that has Unix sockets and file locks.
    from db.embedded import attach_or_start  # noqa: PLC0415

    return attach_or_start(configured.data_dir)


@contextmanager
def _external(url: str) -> Iterator[str]:
    from db import reach  # noqa: PLC0415

    asyncio.run(reach.check(url))
    yield url


@contextmanager
def _migrated_database(configured: Settings) -> Iterator[str]:
    """The URL for work on rows, with the tables this code was written for."""
    from db import migrate as migrations  # noqa: PLC0415

    with _database(configured) as url:
        asyncio.run(migrations.upgrade(url))
        yield configured.database_url or url


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if not match or not int(match[1]):
        raise typer.BadParameter(f"{text!r} is no duration: write a number and s, m, h or d, such as 24h")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
