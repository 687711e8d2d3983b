"""The agent's voice sent to somebody in the room who plays it in its stead: an avatar.

The sound goes as one byte stream a segment, with the topic `lk.audio_stream`; RPCs tell to stop (`lk.clear_buffer`) and
come back when a segment began and ended to be played. It is the protocol of LiveKit's avatar workers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Coroutine
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakValueDictionary

from livekit import rtc

from agent_runtime.io import AudioOutput, AudioOutputCapabilities
from agent_runtime.room.waiting import wait_for_participant, wait_for_track_publication
from agent_runtime.utils.aio import TaskSet, cancel_and_wait
from agent_runtime.utils.ids import shortuuid

logger = logging.getLogger(__name__)

TOPIC: Final = "lk.audio_stream"
CLEAR: Final = "lk.clear_buffer"
STARTED: Final = "lk.playback_started"
FINISHED: Final = "lk.playback_finished"

_outputs: WeakKeyDictionary[rtc.Room, WeakValueDictionary[str, DataStreamAudioOutput]] = WeakKeyDictionary()
"""Who plays for an agent in a room, by identity: the room has one RPC method of a name for all of them."""


class DataStreamAudioOutput(AudioOutput):
    """Plays the agent's speech on a participant who takes it as data.

    Frames wait until the participant is there; so does the agent. It can't pause.

    Args:
        room: where both are.
        destination_identity: the participant's.
        sample_rate: Hz that the participant wants; None takes any.
        wait_remote_track: the kind of a track that the participant must have published before.
        clear_buffer_timeout: seconds in which the participant is to tell where it stopped; after them all that was sent
            counts as heard. None waits without an end.
        wait_playback_start: the participant tells when it begins to be heard; if not, it does with the first frame.
    """

    def __init__(
        self,
        room: rtc.Room,
        *,
        destination_identity: str,
        sample_rate: int | None = None,
        wait_remote_track: rtc.TrackKind.ValueType | None = None,
        clear_buffer_timeout: float | None = 2.0,
        wait_playback_start: bool = False,
    ) -> None:
        super().__init__(
            label="DataStreamIO", capabilities=AudioOutputCapabilities(pause=False), sample_rate=sample_rate
        )
        self._room = room
        self._identity = destination_identity
        self._wait_remote_track = wait_remote_track
        self._clear_timeout = clear_buffer_timeout
        self._wait_playback_start = wait_playback_start
        self._writer: rtc.ByteStreamWriter | None = None
        self._sent = 0.0
        self._unfinished = 0
        self._tasks = TaskSet()
        self._clearing: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        room.on("connection_state_changed", self._look)
        self._look()
        self._joined = self._keep(self._join())

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Send a frame; waits for the participant, and for the end of what is being stopped."""
        await asyncio.shield(self._joined)
        if self._clearing is not None:
            await asyncio.shield(self._clearing)
        await super().capture_frame(frame)
        if self._writer is None:
            self._writer = await self._room.local_participant.stream_bytes(
                name=shortuuid("AUDIO_"),
                topic=TOPIC,
                destination_identities=[self._identity],
                attributes={"sample_rate": str(frame.sample_rate), "num_channels": str(frame.num_channels)},
            )
            self._sent = 0.0
            self._unfinished += 1
            if not self._wait_playback_start:
                self.on_playback_started(created_at=time.time())
        await self._writer.write(bytes(frame.data))
        self._sent += frame.duration

    def flush(self) -> None:
        """The segment is complete."""
        super().flush()
        if self._writer is not None:
            self._keep(self._writer.aclose())
            self._writer = None

    def clear_buffer(self) -> None:
        """Have the participant stop, and tell where."""
        if self._unfinished and (self._clearing is None or self._clearing.done()):
            clearing = self._keep(self._clear(self._unfinished, self._sent))
            # Without a timeout, newer speech mustn't wait for an answer that may never come.
            self._clearing = clearing if self._clear_timeout is not None else None

    async def aclose(self) -> None:
        """Send no more."""
        self._room.off("connection_state_changed", self._look)
        if (outputs := _outputs.get(self._room)) is not None:
            outputs.pop(self._identity, None)
        await cancel_and_wait(*self._tasks.tasks)

    def _keep(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._tasks.create_task(work)
        task.add_done_callback(self._report)
        return task

    def _report(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s can't play the agent's voice: %s", self._identity, error)

    def _look(self, _: object = None) -> None:
        if self._room.isconnected():
            self._connected.set()

    async def _join(self) -> None:
        """Listen to the participant, and wait for it, once the room is there."""
        await self._connected.wait()
        outputs = _outputs.setdefault(self._room, WeakValueDictionary())
        outputs[self._identity] = self
        for method in (STARTED, FINISHED):
            self._room.local_participant.register_rpc_method(method, partial(_told, outputs, method))
        await wait_for_participant(self._room, identity=self._identity)
        if self._wait_remote_track is not None:
            await wait_for_track_publication(self._room, identity=self._identity, kind=self._wait_remote_track)

    async def _clear(self, segments: int, sent: float) -> None:
        timeout = self._clear_timeout
        try:
            await self._room.local_participant.perform_rpc(
                destination_identity=self._identity, method=CLEAR, payload=""
            )
        except rtc.RpcError as error:
            logger.error("%s doesn't stop: %s", self._identity, error)
            timeout = 0.0
        if timeout is None:
            return
        try:
            async with asyncio.timeout(timeout):
                await self.wait_for_playout()
        except TimeoutError:
            logger.warning("%s didn't tell where it stopped: all that was sent counts as heard", self._identity)
            for _ in range(min(segments, self._unfinished)):
                self._finish(sent, interrupted=True)

    def _finish(self, position: float, *, interrupted: bool) -> None:
        if self._unfinished:  # an answer that comes too late is about what was counted already
            self._unfinished -= 1
            self.on_playback_finished(playback_position=position, interrupted=interrupted)


def _told(outputs: WeakValueDictionary[str, DataStreamAudioOutput], method: str, call: rtc.RpcInvocationData) -> str:
    """What a participant tells of its playing."""
    output = outputs.get(call.caller_identity)
    if output is None:
        logger.warning("%s isn't asked to play anything, but tells of it", call.caller_identity)
        return "reject"
    if method == STARTED:
        if output._wait_playback_start:
            output.on_playback_started(created_at=time.time())
        return "ok"
    told = json.loads(call.payload)
    output._finish(float(told["playback_position"]), interrupted=bool(told["interrupted"]))
    return "ok"
