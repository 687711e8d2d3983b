"""Push-to-talk from a room: a participant's button, by remote procedure calls or data messages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc

if TYPE_CHECKING:
    from agent_runtime.voice.session import AgentSession

TOPIC: Final = "push_to_talk"
"""Of data messages; their text is the method's name, or JSON with it under `method`."""
METHODS: Final = ("start_turn", "end_turn", "cancel_turn", "auto_turns")
"""Press, let go, let go and forget, and back to turns that end by themselves."""


class RoomPushToTalk:
    """Answers `METHODS` while it is there. Only the participant who is linked takes turns.

    Args:
        room: the room; connected.
        session: whose turns they are.
        linked: says whose button counts; None while anybody's does.
        on_pressed: gets the identity of who takes a turn, before it begins.
    """

    def __init__(
        self,
        room: rtc.Room,
        session: AgentSession[Any],
        *,
        linked: Callable[[], str | None],
        on_pressed: Callable[[str], None] = lambda identity: None,
    ) -> None:
        self._room = room
        self._linked = linked
        self._on_pressed = on_pressed
        talk = session.push_to_talk
        self._actions: dict[str, Callable[[], None]] = dict(
            zip(METHODS, (talk.press, talk.send, talk.discard, talk.off), strict=True)
        )
        for method in METHODS:
            room.local_participant.register_rpc_method(method, self._on_call)
        room.on("data_received", self._on_data)

    def close(self) -> None:
        """Answer no more."""
        self._room.off("data_received", self._on_data)
        if self._room.isconnected():
            for method in METHODS:
                self._room.local_participant.unregister_rpc_method(method)

    async def _on_call(self, call: rtc.RpcInvocationData) -> str:
        if not self._do(call.method, call.caller_identity):
            raise rtc.RpcError(403, f"{self._linked()} is who talks to the agent; ask for it to listen to you first")
        return "ok"

    def _on_data(self, packet: rtc.DataPacket) -> None:
        if packet.topic == TOPIC and packet.participant is not None:
            self._do(_method(packet.data), packet.participant.identity)

    def _do(self, method: str, identity: str) -> bool:
        action = self._actions.get(method)
        if action is None or self._linked() not in (None, identity):
            return False
        if method == "start_turn":
            self._on_pressed(identity)
        action()
        return True


def _method(data: bytes) -> str:
    text = data.decode(errors="replace").strip()
    if not text.startswith("{"):
        return text
    try:
        parsed = json.loads(text)
    except ValueError:
        return ""
    return str(parsed.get("method", ""))
