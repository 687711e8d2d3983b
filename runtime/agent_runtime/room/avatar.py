"""Avatars: participants that show a face and speak in the agent's stead. Vendors' packages extend `AvatarSession`."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from livekit import rtc

from agent_runtime.metrics import AvatarMetrics, Metadata
from agent_runtime.room.avatar_output import DataStreamAudioOutput
from agent_runtime.room.waiting import wait_for_participant, wait_for_track_publication
from agent_runtime.utils import EventEmitter
from agent_runtime.utils.aio import cancel_and_wait

if TYPE_CHECKING:
    from agent_runtime.voice.session import AgentSession

__all__ = ["AvatarSession", "DataStreamAudioOutput"]

logger = logging.getLogger(__name__)

TEvent = TypeVar("TEvent")


class AvatarSession(ABC, EventEmitter[Literal["metrics_collected"] | TEvent], Generic[TEvent]):
    """One avatar in one room. A vendor's class has it join in its `start`, and the session speak through it."""

    def __init__(self) -> None:
        super().__init__()
        self._room: rtc.Room | None = None
        self._agent_session: AgentSession[Any] | None = None
        self._joining: asyncio.Task[None] | None = None

    @property
    @abstractmethod
    def avatar_identity(self) -> str:
        """Whom it is in the room."""

    @property
    def provider(self) -> str:
        """Who runs it."""
        return "unknown"

    async def start(self, agent_session: AgentSession[Any], room: rtc.Room) -> None:
        """Watch for the avatar; in a job, have it leave at the job's end. Outside of one, `aclose` does that."""
        if (job := _job()) is not None:
            job.add_shutdown_callback(self.aclose)
        self._room, self._agent_session = room, agent_session
        agent_session.on("conversation_item_added", self._item_added)
        room.on("connection_state_changed", self._watch)
        self._watch()

    async def wait_for_join(self, *, timeout: float | None = 30.0) -> None:
        """Wait until its picture is there; at once where the room isn't connected yet.

        Raises:
            TimeoutError: so many seconds didn't suffice; None waits without an end.
        """
        if self._joining is not None:
            async with asyncio.timeout(timeout):
                await asyncio.shield(self._joining)

    async def aclose(self) -> None:
        """Have it leave the room. Doing so twice does nothing."""
        room, self._room = self._room, None
        session, self._agent_session = self._agent_session, None
        if self._joining is not None:
            await cancel_and_wait(self._joining)
        if session is not None:
            session.off("conversation_item_added", self._item_added)
        if room is not None:
            room.off("connection_state_changed", self._watch)
            await self._remove_from(room)

    async def _remove_from(self, room: rtc.Room) -> None:
        job = _job()
        if job is None or not room.isconnected():
            return
        from livekit import api

        avatar = api.RoomParticipantIdentity(room=room.name, identity=self.avatar_identity)
        try:
            await job.api.room.remove_participant(avatar)
        except api.TwirpError as error:
            if error.code != "not_found":  # it left by itself
                logger.warning("the avatar %s can't be removed from the room: %s", self.avatar_identity, error.message)

    def _watch(self, _: object = None) -> None:
        if self._joining is None and self._room is not None and self._room.isconnected():
            self._joining = asyncio.create_task(self._join(self._room))

    async def _join(self, room: rtc.Room) -> None:
        started = time.time()
        await wait_for_participant(room, identity=self.avatar_identity, include_local=True)
        await wait_for_track_publication(
            room, identity=self.avatar_identity, kind=rtc.TrackKind.KIND_VIDEO, include_local=True
        )
        joined = time.time()
        self._measure(timestamp=joined, session_started_time=started, avatar_joined_time=joined)

    def _item_added(self, event: Any) -> None:
        item = event.item
        if item.type == "message" and item.role == "assistant":
            latency = item.metrics.get("playback_latency")
            if latency is not None:
                self._measure(timestamp=event.created_at, playback_latency=latency)

    def _measure(self, **figures: Any) -> None:
        from agent_runtime.voice.events import MetricsCollectedEvent

        metrics = AvatarMetrics(**figures, metadata=Metadata(model_provider=self.provider))
        self.emit("metrics_collected", metrics)
        if self._agent_session is not None:
            self._agent_session.emit("metrics_collected", MetricsCollectedEvent(metrics=metrics))


def _job() -> Any:
    from agent_runtime.worker.job import get_job_context

    return get_job_context(required=False)
