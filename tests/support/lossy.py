"""A path between participants and a LiveKit server that loses packets: UDP is passed on but for a drawn share, and for
moments in which nothing comes through at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final, TypeAlias

RELAY: Final = "127.0.0.2"
"""Where participants are told that the server is; loopback has it on Linux."""
SERVER: Final = "127.0.0.1"
EVERY: Final = 3.0
"""Seconds from one gap's start to the next one's."""
Address: TypeAlias = tuple[str, int]


class LossyPath:
    """Passes datagrams between `RELAY` and `SERVER` at one port, and loses a share of them either way.

    Args:
        port: the server's for UDP.
        share: of the packets, 0 to 1; raise it once everybody is in.
        seed: which ones.
    """

    def __init__(self, port: int, share: float = 0.0, *, seed: int = 1) -> None:
        self.share = share
        self._gap = self._gaps_from = 0.0
        self.passed = self.lost = 0
        self._port = port
        self._random = random.Random(seed)
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Address, asyncio.Task[_Ends]] = {}

    async def start(self) -> None:
        """Be there before anybody joins."""
        loop = asyncio.get_running_loop()
        self._front, _ = await loop.create_datagram_endpoint(lambda: _Ends(self._to_server), (RELAY, self._port))

    def fall_silent(self, seconds: float, *, after: float) -> None:
        """Pass nothing for so long, from `after` seconds from now on, and again every `EVERY` seconds."""
        self._gap, self._gaps_from = seconds, asyncio.get_running_loop().time() + after

    async def aclose(self) -> None:
        """Pass nothing on any more."""
        for task in self._backs.values():
            (await task).transport.close()
        if self._front is not None:
            self._front.close()

    def _to_server(self, data: bytes, participant: Address) -> None:
        if participant not in self._backs:
            self._backs[participant] = asyncio.create_task(self._back(participant))
        back = self._backs[participant]
        if back.done() and self._passes():
            back.result().transport.sendto(data)

    async def _back(self, participant: Address) -> _Ends:
        def to_participant(data: bytes, _: Address) -> None:
            assert self._front is not None
            if self._passes():
                self._front.sendto(data, participant)

        loop = asyncio.get_running_loop()
        _, ends = await loop.create_datagram_endpoint(
            lambda: _Ends(to_participant), local_addr=(SERVER, 0), remote_addr=(SERVER, self._port)
        )
        return ends

    def _passes(self) -> bool:
        in_a_gap = (asyncio.get_running_loop().time() - self._gaps_from) % EVERY < self._gap
        if in_a_gap or self._random.random() < self.share:
            self.lost += 1
            return False
        self.passed += 1
        return True


class _Ends(asyncio.DatagramProtocol):
    transport: asyncio.DatagramTransport

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self._received = received

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._received(data, addr)
