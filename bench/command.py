"""What the programs of the benchmark begin with."""

import resource
import signal
import sys


def begin() -> None:
    """See that what is started can have many sockets, and ends with this process however that is ended."""
    if sys.platform != "linux":
        sys.exit("bench: it reads /proc and waits with epoll, so it runs on Linux only")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # handed on to the servers
