"""A real Redis of the tests' own, to be killed, hung and started again on the same port."""

import signal
import socket
import subprocess
from pathlib import Path


class RedisServer:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._server: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Return when it takes connections."""
        options = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": self._folder}
        command = ["redis-server", *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._server.stdout
        said = b""
        for line in self._server.stdout:
            said += line
            if b"Ready to accept connections" in line:
                return
        raise AssertionError(said.decode())

    def signal(self, number: signal.Signals) -> None:
        assert self._server
        self._server.send_signal(number)

    def kill(self) -> None:
        """End it without a word; once more does nothing."""
        if self._server:
            self._server.kill()
            self._server.communicate()
            self._server = None
