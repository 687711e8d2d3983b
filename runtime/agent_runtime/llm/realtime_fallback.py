"""Several realtime models behind one: when the one that talks fails, the next goes on with the conversation."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import time
import weakref
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from agent_runtime.clock import Clock, LoopClock
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import MetricsMetadata
from agent_runtime.llm.realtime import (
    EventTypes,
    GenerationCreatedEvent,
    RealtimeCapabilities,
    RealtimeError,
    RealtimeModel,
    RealtimeModelError,
    RealtimeSession,
    RealtimeSessionReconnectedEvent,
)
from agent_runtime.llm.tool_context import ToolChoice, ToolContext
from agent_runtime.types import NOT_GIVEN, NotGivenOr
from agent_runtime.utils import EventEmitter, aio
from agent_runtime.utils.circuit_breaker import CircuitBoard, CircuitBreaker
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, VideoFrame

    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

_SHAPING: Final = ("audio_output", "turn_detection", "supports_overlapping_speech")
"""What a session is built by once, so that all models have to agree on it."""

_FORWARDED: Final[tuple[EventTypes, ...]] = (
    "input_speech_started",
    "input_speech_stopped",
    "input_audio_transcription_completed",
    "generation_created",
    "session_reconnected",
    "metrics_collected",
    "remote_item_added",
)


@dataclass
class RealtimeAvailabilityChangedEvent:
    """A model went down or may be used again."""

    realtime_model: RealtimeModel
    available: bool


def _common(models: list[RealtimeModel]) -> RealtimeCapabilities:
    """What all can do. Raises ValueError where they would need different sessions."""
    first = models[0].capabilities
    for name in _SHAPING:
        values = [getattr(model.capabilities, name) for model in models]
        if len(set(values)) > 1:
            raise ValueError(
                f"the models differ in `{name}` ({', '.join(map(str, values))}): one session can't have both"
            )
    names = (field.name for field in dataclasses.fields(first))
    return RealtimeCapabilities(**{name: all(getattr(model.capabilities, name) for model in models) for name in names})


class RealtimeModelFallbackAdapter(RealtimeModel, EventEmitter[Literal["realtime_availability_changed"]]):
    """Talks by the first model of a list, and by the next that is up once that fails for good.

    The new model gets instructions, tools and the conversation as it was heard. Event: `realtime_availability_changed`
    (`RealtimeAvailabilityChangedEvent`).

    Args:
        models: best first. They have to agree on `audio_output`, `turn_detection` and `supports_overlapping_speech`.
        cooldown: seconds that a model which failed isn't used.
        regenerate_on_swap: whether a reply that was cut by the change is made again.
        clock: what `cooldown` is measured with.
    """

    def __init__(
        self,
        models: list[RealtimeModel],
        *,
        cooldown: float = 10.0,
        regenerate_on_swap: bool = True,
        clock: Clock | None = None,
    ) -> None:
        if not models:
            raise ValueError("at least one RealtimeModel is needed")
        RealtimeModel.__init__(self, capabilities=_common(models))
        EventEmitter.__init__(self)
        self._models = models
        self._cooldown = cooldown
        self._regenerate_on_swap = regenerate_on_swap
        self._clock = clock or LoopClock()
        self._active = models[0]
        self._sessions: weakref.WeakSet[FallbackRealtimeSession] = weakref.WeakSet()

    @property
    def model(self) -> str:
        """The name of the adapter: what answers at present is in `metrics_metadata`."""
        return "RealtimeModelFallbackAdapter"

    @property
    def provider(self) -> str:
        """As `model`."""
        return "livekit"

    @property
    def metrics_metadata(self) -> MetricsMetadata:
        """Of the model that answers at present."""
        return self._active.metrics_metadata

    def session(self, *, turn_detection_disabled: bool = False) -> FallbackRealtimeSession:
        """A conversation that outlives its model; it begins with the first."""
        session = FallbackRealtimeSession(self, turn_detection_disabled=turn_detection_disabled)
        self._sessions.add(session)
        return session

    async def restart_session(self, *, switch_model: bool = False) -> None:
        """Connect anew, to the next model that is up if `switch_model`."""
        for session in tuple(self._sessions):
            await session.restart(switch_model=switch_model)

    async def aclose(self) -> None:
        """Close the models."""
        for model in self._models:
            await model.aclose()


class FallbackRealtimeSession(RealtimeSession[str]):
    """See `RealtimeModelFallbackAdapter`."""

    def __init__(self, adapter: RealtimeModelFallbackAdapter, *, turn_detection_disabled: bool = False) -> None:
        super().__init__(adapter)
        self._adapter = adapter
        self._turn_detection_disabled = turn_detection_disabled
        self._instructions: NotGivenOr[str] = NOT_GIVEN
        self._tools: NotGivenOr[list[Tool]] = NOT_GIVEN
        self._tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN
        self.circuits = CircuitBoard()
        for model in adapter._models:
            self.circuits.add(model, CircuitBreaker(clock=adapter._clock))
        self._down_until: dict[int, float] = {}
        """By index: when a model that failed may be used again."""
        self._forwarders: dict[str, Callable[..., None]] = {name: self._forwarder(name) for name in _FORWARDED}
        self._lock = asyncio.Lock()
        self._swapping: asyncio.Task[None] | None = None
        self._between = False
        """No model is there: what is heard meanwhile is lost, since it would only make the new one late."""
        self._agent_session: AgentSession[Any] | None = None
        """Set by the session that it talks for."""
        self._index = 0
        self._active = self._open(0)

    def _forwarder(self, name: str) -> Callable[..., None]:
        def forward(*args: Any) -> None:
            self.emit(name, *args)

        return forward

    def on(self, event: Any, callback: Any = None) -> Any:
        """As for every emitter; a provider's own events come from whichever model is there."""
        if event != "error" and event not in self._forwarders:
            self._forwarders[event] = self._forwarder(event)
            self._active.on(event, self._forwarders[event])
        return super().on(event, callback)

    # --- which model is there ----------------------------------------------------------------------------------------

    def _open(self, index: int) -> RealtimeSession[Any]:
        child = self._adapter._models[index].session(turn_detection_disabled=self._turn_detection_disabled)
        self._index, self._adapter._active = index, self._adapter._models[index]
        for name, forward in self._forwarders.items():
            child.on(name, forward)
        child.on("error", self._failed)
        return child

    async def _close(self, child: RealtimeSession[Any]) -> None:
        for name, forward in self._forwarders.items():
            child.off(name, forward)
        child.off("error", self._failed)
        try:
            await child.aclose()
        except Exception:
            logger.exception("a realtime session didn't close; it is left behind")

    def _set_down(self, index: int, down: bool, problem: str = "") -> None:
        _, circuit = self.circuits.circuits[index]
        if down:
            self._down_until[index] = self._adapter._clock.now() + self._adapter._cooldown
            circuit.record_failure(problem)
        else:
            del self._down_until[index]
            circuit.record_success("cooldown_over")
        event = RealtimeAvailabilityChangedEvent(self._adapter._models[index], available=not down)
        self._adapter.emit("realtime_availability_changed", event)

    def _next_up(self, *, but: int | None = None) -> int | None:
        now = self._adapter._clock.now()
        for index in [index for index, until in self._down_until.items() if until <= now]:
            self._set_down(index, False)
        return next((i for i in range(len(self._adapter._models)) if i != but and i not in self._down_until), None)

    def _failed(self, error: RealtimeModelError) -> None:
        if error.recoverable:
            self.emit("error", error)
            return
        if self._index not in self._down_until:
            self._set_down(self._index, True, str(error.error))
        target = self._next_up()
        # As long as there is another model, the session goes on.
        self.emit("error", error if target is None else error.model_copy(update={"recoverable": True}))
        if target is not None and (self._swapping is None or self._swapping.done()):
            self._swapping = asyncio.create_task(self._swap(target, self._replies()), name="change realtime model")

    def _replies(self) -> bool:
        return self._agent_session is not None and self._agent_session.agent_state in ("speaking", "thinking")

    async def restart(self, *, switch_model: bool) -> None:
        """Connect anew; with `switch_model` to another model, if one is up."""
        other = self._next_up(but=self._index) if switch_model else None
        await self._swap(self._index if other is None else other, self._replies())

    async def _swap(self, target: int, was_replying: bool) -> None:
        async with self._lock:
            session, old = self._agent_session, self._active
            if session is not None:
                # What was heard of the reply becomes part of the conversation that the new model gets.
                await session.interrupt(force=True)
            kept = session.current_agent.chat_ctx if session is not None else old.chat_ctx
            # Instructions go another way, and of handoffs a model knows nothing.
            context = kept.copy(exclude_instructions=True, exclude_handoff=True, exclude_config_update=True)
            self._between = True
            try:
                await self._close(old)
                error = await self._bring_up(target, context)
            finally:
                self._between = False
            if error is not None:
                label, now = self._adapter.label, time.time()
                self.emit("error", RealtimeModelError(timestamp=now, label=label, error=error, recoverable=False))
                return
            self.emit("session_reconnected", RealtimeSessionReconnectedEvent())
            if was_replying and self._adapter._regenerate_on_swap and session is not None:
                session.generate_reply()

    async def _bring_up(self, target: int | None, context: ChatContext) -> Exception | None:
        """Begin with that model, or the next that is up. The error of the last, if none began."""
        failure: Exception | None = None
        while target is not None:
            child: RealtimeSession[Any] | None = None
            try:
                child = self._active = self._open(target)
                await child._update_session(instructions=self._instructions, chat_ctx=context, tools=self._tools)
                if self._tool_choice is not NOT_GIVEN:
                    child.update_options(tool_choice=self._tool_choice)
                if target in self._down_until:
                    raise RealtimeError("it failed while it was told the conversation")
                return None
            except Exception as error:
                logger.warning("%s didn't begin: %s", self._adapter._models[target].label, error)
                failure = error
                if child is not None:
                    await self._close(child)
                if target not in self._down_until:
                    self._set_down(target, True, str(error))
                target = self._next_up()
        return failure

    # --- what the model that is there does ---------------------------------------------------------------------------

    @property
    def capabilities(self) -> RealtimeCapabilities:
        """Of the model that is there."""
        return self._active.capabilities

    @property
    def chat_ctx(self) -> ChatContext:
        """The conversation as the model that is there has it."""
        return self._active.chat_ctx

    @property
    def tools(self) -> ToolContext:
        """What it may call."""
        return self._active.tools

    async def update_instructions(self, instructions: str) -> None:
        """Tell it, and those after it."""
        self._instructions = instructions
        await self._active.update_instructions(instructions)

    async def update_chat_ctx(self, chat_ctx: ChatContext) -> None:
        """Give it another conversation; between two models there is nobody to have it."""
        if not self._between:
            await self._active.update_chat_ctx(chat_ctx)

    async def update_tools(self, tools: list[Tool]) -> None:
        """Give it, and those after it, other tools."""
        self._tools = tools
        await self._active.update_tools(tools)

    def update_options(self, *, tool_choice: NotGivenOr[ToolChoice | None] = NOT_GIVEN) -> None:
        """Of it, and of those after it."""
        self._tool_choice = tool_choice
        self._active.update_options(tool_choice=tool_choice)

    def push_audio(self, frame: AudioFrame) -> None:
        """Let it hear."""
        if not self._between:
            self._active.push_audio(frame)

    def push_video(self, frame: VideoFrame) -> None:
        """Let it see."""
        if not self._between:
            self._active.push_video(frame)

    def generate_reply(
        self,
        *,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool]] = NOT_GIVEN,
    ) -> asyncio.Future[GenerationCreatedEvent]:
        """Have it answer."""
        return self._active.generate_reply(instructions=instructions, tool_choice=tool_choice, tools=tools)

    def say(self, text: str | AsyncIterable[str]) -> asyncio.Future[GenerationCreatedEvent]:
        """Have it speak."""
        return self._active.say(text)

    def commit_audio(self) -> None:
        """The user's message is complete."""
        self._active.commit_audio()

    def clear_audio(self) -> None:
        """Forget what was heard."""
        self._active.clear_audio()

    def interrupt(self) -> None:
        """Have it stop."""
        self._active.interrupt()

    def start_user_activity(self) -> None:
        """Tell it that the user does something."""
        self._active.start_user_activity()

    def truncate(
        self,
        *,
        message_id: str,
        modalities: list[Literal["text", "audio"]],
        audio_end_ms: int,
        audio_transcript: NotGivenOr[str] = NOT_GIVEN,
    ) -> None:
        """Have it forget what wasn't heard."""
        self._active.truncate(
            message_id=message_id,
            modalities=modalities,
            audio_end_ms=audio_end_ms,
            audio_transcript=audio_transcript,
        )

    async def aclose(self) -> None:
        """End the conversation."""
        if self._swapping is not None:
            await aio.cancel_and_wait(self._swapping)
        await self._close(self._active)
