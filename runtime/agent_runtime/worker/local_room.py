"""A room for an entrypoint that runs where there is none: the person at the console, and the agent.

What the agent sends to its room's participants goes nowhere, since nobody's client is there to take it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from livekit import rtc
from livekit.rtc._proto import participant_pb2, room_pb2

logger = logging.getLogger(__name__)

ROOM: Final = "console"
PERSON: Final = "console-user"
AGENT: Final = "console-agent"


def _info(identity: str, kind: rtc.ParticipantKind.ValueType) -> Any:
    return participant_pb2.ParticipantInfo(sid=f"PA_{identity}", identity=identity, name="", metadata="", kind=kind)


class LocalPerson(rtc.RemoteParticipant):
    """Who sits at the console."""

    def __init__(self) -> None:
        # Not rtc's own: that takes a handle of the native library, which no room has given.
        self._info = _info(PERSON, rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD)
        self._info.state = rtc.ParticipantState.PARTICIPANT_STATE_ACTIVE
        self._connection_quality = rtc.ConnectionQuality.QUALITY_EXCELLENT

    @property
    def track_publications(self) -> Mapping[str, rtc.RemoteTrackPublication]:
        """None: the person is heard by the microphone."""
        return {}


class LocalAgent(rtc.LocalParticipant):
    """The agent as a participant. It has name, metadata and attributes; what it sends is told in the log only."""

    def __init__(self) -> None:
        self._info = _info(AGENT, rtc.ParticipantKind.PARTICIPANT_KIND_AGENT)
        self._connection_quality = rtc.ConnectionQuality.QUALITY_EXCELLENT
        self.rpc_methods: dict[str, Callable[..., Any]] = {}
        """What a client could call, if there were one."""

    @property
    def track_publications(self) -> Mapping[str, rtc.LocalTrackPublication]:
        """None: the agent is heard by the speaker."""
        return {}

    async def set_name(self, name: str) -> None:
        """Be called so."""
        self._info.name = name

    async def set_metadata(self, metadata: str) -> None:
        """Have these metadata."""
        self._info.metadata = metadata

    async def set_attributes(self, attributes: dict[str, str]) -> None:
        """Have these attributes besides those that are there; an empty one goes."""
        for name, value in attributes.items():
            if value:
                self._info.attributes[name] = value
            else:
                self._info.attributes.pop(name, None)

    def register_rpc_method(self, method_name: str, handler: Any = None) -> Any:
        """See rtc; a decorator without `handler`."""
        if handler is None:
            return lambda function: self.register_rpc_method(method_name, function)
        self.rpc_methods[method_name] = handler
        return handler

    def unregister_rpc_method(self, method: str) -> None:
        """See rtc."""
        self.rpc_methods.pop(method, None)

    async def perform_rpc(self, *, destination_identity: str, method: str, **_: Any) -> str:
        """Raises RpcError: nobody's client is there."""
        raise rtc.RpcError(
            rtc.RpcError.ErrorCode.RECIPIENT_NOT_FOUND, f"{method}: nobody's client is in the console to answer it"
        )

    async def publish_data(self, payload: bytes | str, **given: Any) -> None:
        """Told in the log."""
        self._told("data", given, str(payload))

    async def send_text(self, text: str, **given: Any) -> Any:
        """Told in the log."""
        self._told("text", given, text)
        return rtc.TextStreamInfo("", "text/plain", given.get("topic", ""), 0, len(text), {}, [])

    async def send_bytes(self, data: bytes, **given: Any) -> Any:
        """Told in the log."""
        self._told("bytes", given, f"{len(data)} of them")

    async def send_file(self, file_path: str, **given: Any) -> Any:
        """Told in the log."""
        self._told("a file", given, file_path)

    async def publish_dtmf(self, *, code: int, digit: str) -> None:
        """Told in the log."""
        self._told("a key", {}, digit)

    async def publish_transcription(self, transcription: rtc.Transcription) -> None:
        """The console shows what is said by itself."""

    async def publish_track(self, track: rtc.LocalTrack, *_: Any, **__: Any) -> rtc.LocalTrackPublication:
        """Raises RuntimeError: nobody could hear or see it."""
        raise RuntimeError(f"the track {track.name!r} can't be published: there is no room here, only a console")

    @staticmethod
    def _told(what: str, given: dict[str, Any], content: str) -> None:
        topic = f" on {given['topic']}" if given.get("topic") else ""
        logger.info("the agent sends %s%s, which nobody takes here: %.200s", what, topic, content)


class LocalRoom(rtc.Room):
    """It is connected from the beginning, and two are in it. Made on a running loop."""

    def __init__(self) -> None:
        super().__init__(asyncio.get_running_loop())
        self._info = room_pb2.RoomInfo(name=ROOM, metadata="")
        self._person, self._agent = LocalPerson(), LocalAgent()

    @property
    async def sid(self) -> str:
        """A made-up one."""
        return f"RM_{ROOM}"

    @property
    def local_participant(self) -> rtc.LocalParticipant:
        """The agent."""
        return self._agent

    @property
    def remote_participants(self) -> Mapping[str, rtc.RemoteParticipant]:
        """Who sits at the console."""
        return {PERSON: self._person}

    @property
    def connection_state(self) -> rtc.ConnectionState.ValueType:
        """Connected."""
        return rtc.ConnectionState.CONN_CONNECTED

    def isconnected(self) -> bool:
        """It is."""
        return True

    async def connect(self, *_: Any, **__: Any) -> None:
        """Nothing is to be done."""

    async def disconnect(self, **_: Any) -> None:
        """Nothing is to be done: the conversation ends by its session."""
