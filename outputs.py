"""Where a command writes its lines: standard output, or a file that is there only when it is whole."""

import gzip
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast


class UnwritableOutputError(Exception):
    """The lines cannot be written; the message says where and why."""


@contextmanager
def opened(output: str) -> Iterator[BinaryIO]:
    """This file, compressed where its name ends in .gz, or standard output (-); raises UnwritableOutputError."""
    part = Path(f"{output}.part")
    try:
        if output == "-":
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
            return
        with ExitStack() as stack:
            # Histories are people's own: nobody else on this machine reads them.
            part.touch(mode=0o600)
            if output.endswith(".gz"):
                yield cast("BinaryIO", stack.enter_context(gzip.open(part, "wb")))
            else:
                yield stack.enter_context(part.open("wb"))
        part.replace(output)
    except OSError as error:
        raise UnwritableOutputError(f"cannot write to {output}: {error.strerror or error}") from error
    finally:
        if output != "-":
            part.unlink(missing_ok=True)
