"""Tells the world what happens: each moment once, as an event of the stream and as LiveKit's callback."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agent_runtime import events as ev
from agent_runtime.clock import Clock
from agent_runtime.errors import AgentConsoleError
from agent_runtime.events import EventData, EventStream
from agent_runtime.types import AgentState, UserState
from agent_runtime.voice.blame import culprit_of

if TYPE_CHECKING:
    from agent_runtime.llm import ChatItem, FunctionCall, FunctionCallOutput
    from agent_runtime.utils import EventEmitter
    from agent_runtime.voice.events import EventTypes, FunctionToolsExecutedEvent
    from agent_runtime.voice.speech_handle import SpeechHandle

logger = logging.getLogger(__name__)

SpeechSource: TypeAlias = Literal["say", "generate_reply", "tool_response"]


class Reporter:
    """See the module.

    Times that it takes are on the session's clock; those in events count from the session's start.
    """

    def __init__(self, emitter: EventEmitter[EventTypes], stream: EventStream, clock: Clock) -> None:
        self._emitter = emitter
        self._clock = clock
        self.stream = stream
        self._epoch = clock.now() - stream.now()
        self.turn_id: str | None = None
        """The turn that is open, for what no other turn is named for."""
        self._turns = 0

    def relative(self, at: float) -> float:
        """A time of the session's clock as events carry it."""
        return at - self._epoch

    def wall(self, at: float | None = None) -> float:
        """A time of the session's clock in seconds since the epoch; now, if none is given."""
        wall = self._clock.wall()
        return wall if at is None else wall - (self._clock.now() - at)

    def emit(self, data: EventData, cause: str | None = None, *, turn_id: str | None = None) -> None:
        """An event of the stream, in the open turn unless another is named."""
        self.stream.emit(data, turn_id=turn_id or self.turn_id, cause=cause)

    def call(self, name: EventTypes, payload: Callable[[], Any]) -> None:
        """LiveKit's callback; the payload is made only if somebody listens."""
        if self._emitter.has_listeners(name):
            self._emitter.emit(name, payload())

    # --- turns and states --------------------------------------------------------------------------------------------

    def turn_started(self, cause: str) -> str:
        """Begin a turn; returns its id."""
        self._turns += 1
        self.turn_id = f"turn_{self._turns}"
        self.emit(ev.TurnStarted(self._turns), cause)
        return self.turn_id

    def user_state(self, old: UserState, new: UserState, at: float, cause: str) -> None:
        """The user's state changed, truly at `at`."""
        self.emit(ev.UserStateChanged(old, new, self.relative(at)), cause)

        def payload() -> Any:
            from agent_runtime.voice.events import UserStateChangedEvent

            return UserStateChangedEvent(old_state=old, new_state=new, created_at=self.wall(at))

        self.call("user_state_changed", payload)

    def agent_state(self, old: AgentState, new: AgentState, cause: str, turn_id: str | None = None) -> None:
        """The agent's state changed."""
        self.emit(ev.AgentStateChanged(old, new), cause, turn_id=turn_id)

        def payload() -> Any:
            from agent_runtime.voice.events import AgentStateChangedEvent

            return AgentStateChangedEvent(old_state=old, new_state=new, created_at=self.wall())

        self.call("agent_state_changed", payload)

    def transcribed(
        self,
        text: str,
        *,
        is_final: bool,
        language: str | None = None,
        speaker_id: str | None = None,
        item_id: str | None = None,
        turn_id: str | None = None,
    ) -> None:
        """Speech was recognised. `item_id`: of the message that a realtime model made of it."""
        self.emit(ev.UserTranscribed(text, is_final, language, speaker_id), turn_id=turn_id)

        def payload() -> Any:
            from agent_runtime.voice.events import UserInputTranscribedEvent

            return UserInputTranscribedEvent(
                transcript=text,
                is_final=is_final,
                language=language,
                speaker_id=speaker_id,
                item_id=item_id,
                created_at=self.wall(),
            )

        self.call("user_input_transcribed", payload)

    def false_interruption(self, resumed: bool) -> None:
        """What stopped the agent was nothing."""

        def payload() -> Any:
            from agent_runtime.voice.events import AgentFalseInterruptionEvent

            return AgentFalseInterruptionEvent(resumed=resumed, created_at=self.wall())

        self.call("agent_false_interruption", payload)

    # --- speech and context ------------------------------------------------------------------------------------------

    def speech_created(
        self, speech: SpeechHandle, source: SpeechSource, *, user_initiated: bool, priority: int
    ) -> None:
        """A speech was made, or goes on with what its tools brought: that is no new one to LiveKit's callback."""
        self.emit(
            ev.SpeechCreated(speech.id, source, user_initiated, priority),
            turn_id=speech.turn_id,
        )
        if source == "tool_response":
            return

        def payload() -> Any:
            from agent_runtime.voice.events import SpeechCreatedEvent

            return SpeechCreatedEvent(
                user_initiated=user_initiated,
                source=source,
                speech_handle=speech,
                created_at=self.wall(),
            )

        self.call("speech_created", payload)

    def item_added(self, item: ChatItem, turn_id: str | None = None) -> None:
        """The conversation grew."""
        if self.stream.wants(ev.ItemAdded):
            plain = item.model_dump(mode="json", exclude_none=True)
            self.emit(ev.ItemAdded(plain), turn_id=turn_id)
        if item.type in ("message", "agent_handoff"):

            def payload() -> Any:
                from agent_runtime.voice.events import ConversationItemAddedEvent

                return ConversationItemAddedEvent(item=item, created_at=self.wall())

            self.call("conversation_item_added", payload)

    def tools_executed(
        self, calls: list[FunctionCall], outputs: list[FunctionCallOutput], *, handoff: bool
    ) -> FunctionToolsExecutedEvent:
        """All calls of a step are done. The returned event says whether a listener called the reply or handoff off."""
        from agent_runtime.voice.events import FunctionToolsExecutedEvent

        event = FunctionToolsExecutedEvent(function_calls=calls, function_call_outputs=outputs, created_at=self.wall())
        event._handoff_required = handoff
        self._emitter.emit("function_tools_executed", event)
        return event

    def metrics(self, metrics: Any) -> None:
        """A provider's measurements, or the engine's own."""

        def payload() -> Any:
            from agent_runtime.voice.events import MetricsCollectedEvent

            return MetricsCollectedEvent(metrics=metrics, created_at=self.wall())

        self.call("metrics_collected", payload)

    # --- failures ----------------------------------------------------------------------------------------------------

    def failed(
        self,
        source: str,
        error: BaseException,
        *,
        recoverable: bool = True,
        payload: Any = None,
        origin: Any = None,
        turn_id: str | None = None,
    ) -> None:
        """Something failed: `source` names the culprit. `payload` is what LiveKit's callback gets as its error."""
        source = culprit_of(error) or source
        details = "".join(traceback.format_exception(error))
        place = culprit_line(error)
        kind, said = type(error).__name__, str(error)
        # What our own errors say is a sentence by itself.
        message = said if said and isinstance(error, AgentConsoleError) else f"{kind}: {said}" if said else kind
        text = f"{message} ({place})" if place else message
        logger.error("%s failed: %s", source, text, exc_info=None if recoverable and payload else error)
        self.emit(ev.ErrorOccurred(source, text, recoverable, details), turn_id=turn_id)

        def make() -> Any:
            from agent_runtime.voice.events import CodeError, ErrorEvent

            at = self.wall()
            told = payload or CodeError(timestamp=at, label=source, error=error, recoverable=recoverable)
            return ErrorEvent(error=told, source=origin or source, created_at=at)

        self.call("error", make)


def culprit_line(error: BaseException) -> str:
    """`file:line` of the innermost frame outside of this package and of asyncio; empty if there is none."""
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        if not any(part in frame.filename for part in ("/agent_runtime/", "/agent_tools/", "/asyncio/")):
            place = f"{frame.filename}:{frame.lineno}"
    return place
