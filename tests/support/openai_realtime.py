"""A server of realtime models without a network: a test reads what it was sent and says what it answers."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from agent_runtime.errors import APIConnectionError
from agent_runtime.providers.openai.realtime import RealtimeModel
from agent_runtime.providers.openai.realtime.options import RealtimeOptions

SOUND = bytes(4800)
"""0.1 s of silence at 24 kHz."""


class FakeSocket:
    """One connection to it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed = False
        self._news: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def send(self, event: dict[str, Any]) -> None:
        if self.closed:
            raise APIConnectionError("closed")
        self.sent.append(event)

    async def receive(self) -> dict[str, Any] | None:
        return await self._news.get()

    async def aclose(self) -> None:
        self.closed = True

    def tell(self, kind: str, **fields: Any) -> None:
        """Send an event to the client."""
        self._news.put_nowait({"type": kind, **fields})

    def lose(self) -> None:
        """Hang up."""
        self._news.put_nowait(None)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of that kind that the client sent."""
        return [event for event in self.sent if event["type"] == kind]

    def begin(self, response_id: str = "r1", item_id: str = "m1", asked: str | None = None) -> None:
        """Begin an answer with one message."""
        metadata = {"client_event_id": asked} if asked else None
        self.tell("response.created", response={"id": response_id, "metadata": metadata})
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        self.tell("response.output_item.added", response_id=response_id, item=item)
        self.tell("conversation.item.added", previous_item_id=None, item=item)

    def speak(self, text: str, *, response_id: str = "r1", item_id: str = "m1") -> None:
        """Say something: words and 0.1 s of sound."""
        about = {"response_id": response_id, "item_id": item_id}
        self.tell("response.content_part.added", **about, part={"type": "audio"})
        self.tell("response.output_audio_transcript.delta", **about, delta=text)
        self.tell("response.output_audio.delta", **about, delta=base64.b64encode(SOUND).decode())

    def finish(self, response_id: str = "r1", item_id: str = "m1", **response: Any) -> None:
        """End the answer."""
        item = {"id": item_id, "type": "message", "role": "assistant", "content": []}
        self.tell("response.output_item.done", response_id=response_id, item=item)
        self.tell("response.done", response={"id": response_id, "status": "completed", **response})


class FakeModel(RealtimeModel):
    """A model whose connections are `FakeSocket`s; `refusals` are raised by the first attempts to connect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(api_key="sk-secret", **options)
        self.sockets: list[FakeSocket] = []
        self.refusals: list[Exception] = []

    async def _connect(self, options: RealtimeOptions) -> FakeSocket:
        if self.refusals:
            raise self.refusals.pop(0)
        self.sockets.append(FakeSocket())
        return self.sockets[-1]
