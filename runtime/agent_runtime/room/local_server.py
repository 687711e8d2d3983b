"""A LiveKit server of one's own, for as long as a conversation lasts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import Final

from agent_runtime.clock import Clock
from agent_runtime.errors import RoomError
from agent_runtime.room.joining import Server

PROGRAM: Final = "livekit-server"
START_TIMEOUT: Final = 10.0
"""Seconds until a server that doesn't answer counts as broken."""
STOP_TIMEOUT: Final = 2.0
"""Seconds that it gets to end."""
_LOOK: Final = 0.05
_KEY: Final = "console"
_END: Final = "kill $server; kill -QUIT $server; sleep 1; kill -9 $server"
"""Told once, the server waits for its participants to leave; told twice, it doesn't."""
_WATCHED: Final = f'"$@" </dev/null & server=$!; (cat; {_END}) <&3 3<&- >/dev/null 2>&1 & wait $server'
"""Ends the server when standard input does, so also when this process is killed and can't end it itself."""


def find_server() -> str | None:
    """The server's program on the PATH."""
    return shutil.which(PROGRAM)


class LocalServer:
    """A server on loopback, with ports and a key of its own. It ends with `aclose`, or with this process.

    Args:
        binary: its program.
        clock: the clock of the loop.
    """

    def __init__(self, binary: str, *, clock: Clock) -> None:
        self._binary = binary
        self._clock = clock
        self._folder = Path(tempfile.mkdtemp(prefix="livekit-"))
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> Server:
        """Start it and wait until it answers. Raises RoomError with its last words if it doesn't."""
        port, tcp, udp = _free_ports(3)
        secret = secrets.token_hex(24)
        config = {
            "port": port,
            "bind_addresses": ["127.0.0.1"],
            "rtc": {"tcp_port": tcp, "udp_port": udp, "node_ip": "127.0.0.1", "use_external_ip": False},
            "keys": {_KEY: secret},
            "logging": {"level": "warn"},
        }
        environment = {**os.environ, "LIVEKIT_CONFIG": json.dumps(config)}  # arguments could be read by anybody
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        await self._answering(port)
        return Server(f"ws://127.0.0.1:{port}", _KEY, secret)

    @property
    def running(self) -> bool:
        """Whether it was started and hasn't ended."""
        return self._process is not None and self._process.returncode is None

    async def aclose(self) -> None:
        """End it and forget what it wrote."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            assert process.stdin is not None
            process.stdin.close()
            if sys.platform == "win32":
                process.terminate()
            try:
                async with asyncio.timeout(STOP_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                process.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _command(self) -> list[str]:
        if sys.platform == "win32":
            return [self._binary]
        return ["/bin/sh", "-c", f"exec 3<&0; {_WATCHED}", PROGRAM, self._binary]

    async def _answering(self, port: int) -> None:
        assert self._process is not None
        until = self._clock.now() + START_TIMEOUT
        while self._process.returncode is None and self._clock.now() < until:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await self._clock.sleep(_LOOK)
            else:
                writer.close()
                return
        lines = (self._folder / "log").read_text(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        await self.aclose()
        raise RoomError(f"{self._binary} doesn't start: {last[:200]}", retry=False)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = []
        for _ in range(count):
            taken = stack.enter_context(socket.socket())
            taken.bind(("127.0.0.1", 0))
            found.append(taken.getsockname()[1])
        return found
