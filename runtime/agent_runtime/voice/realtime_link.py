"""The way to a realtime model: which session is open, what it is told, and what it tells the engine."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from agent_runtime.llm import (
    ChatContext,
    ChatItem,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    RealtimeModel,
    RealtimeModelError,
    ToolContext,
)
from agent_runtime.llm.realtime_fallback import FallbackRealtimeSession
from agent_runtime.metrics import RealtimeModelMetrics
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import BoundedDict
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.instructions import instructions_text
from agent_runtime.voice.interruption import stop_speech
from agent_runtime.voice.replies import ReplyRequest
from agent_runtime.voice.speech_handle import InputDetails, SpeechHandle
from agent_runtime.voice.turn_clock import TurnClock
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, VideoFrame

    from agent_runtime.llm import (
        GenerationCreatedEvent,
        InputSpeechStartedEvent,
        InputSpeechStoppedEvent,
        InputTranscriptionCompleted,
        RealtimeSession,
        ToolChoice,
    )
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine

logger = logging.getLogger(__name__)

TOOL_REPLY_TIMEOUT = 5.0
"""Seconds in which a model that answers to its tools by itself has to begin; LiveKit's."""


class RealtimeLink:
    """See the module. One per session; without a realtime model it has nothing to do.

    What the model is told goes out in order, one update after the other, and a reply is asked for once all of them are
    there.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.session: RealtimeSession[Any] | None = None
        self.detects_turns = False
        """Whether the model itself hears when the user is done, and answers."""
        self._left: list[RealtimeSession[Any]] = []
        """Sessions that are told something before they are closed."""
        self._key: tuple[RealtimeModel, bool] | None = None
        self._agent: Agent | None = None
        self._pushing: asyncio.Task[None] | None = None
        self._untranscribed: tuple[str, float] | None = None
        """The turn that was taken last, and when (seconds since the epoch), until its transcript comes."""
        self._transcribed = ""
        """The turn whose transcript came last: some models tell it before they answer."""
        self._taken: tuple[str, TurnClock] | None = None
        """The turn that the generation answers which is being announced."""
        self._told_of_voice = False
        """Whether the model knows that the user speaks, which it doesn't hear itself."""
        self._tool_reply: asyncio.Future[GenerationCreatedEvent] | None = None
        self._metrics: BoundedDict[str, RealtimeModelMetrics] = BoundedDict(maxsize=16)
        self._handlers: dict[Any, Callable[[Any], None]] = {
            "input_speech_started": self._speech_started,
            "input_speech_stopped": self._speech_stopped,
            "input_audio_transcription_completed": self._transcription_completed,
            "generation_created": self._generation_created,
            "metrics_collected": self._metrics_collected,
        }

    @property
    def active(self) -> bool:
        """Whether a realtime model has the conversation."""
        return self.session is not None

    @property
    def overlaps(self) -> bool:
        """Whether the model may speak while the user does, and decides by itself when to yield."""
        return self.session is not None and self.detects_turns and self.session.capabilities.supports_overlapping_speech

    @property
    def can_say(self) -> bool:
        """Whether the model can speak a given text."""
        return self.session is not None and self.session.capabilities.supports_say

    @property
    def transcribes(self) -> bool:
        """Whether the model tells what the user said."""
        return self.session is not None and self.session.capabilities.user_transcription

    def require_voice(self, *, given: bool) -> None:
        """Raise RuntimeError if nothing could speak a text; `given`: there is audio of it."""
        engine = self._engine
        if not self.active or given or self.can_say or engine.playout.output is None:
            return
        if not engine.can_speak(engine.require_agent()):
            raise RuntimeError("this realtime model can't speak a given text: give the session or the agent a tts")

    # --- which session is open ---------------------------------------------------------------------------------------

    def use(self, model: RealtimeModel, agent: Agent, *, detects_turns: bool) -> None:
        """Let `agent` talk by `model` from now on; an open session of it goes on, where it can be told of the agent."""
        key = (model, detects_turns)
        if key == self._key and agent is self._agent:
            return
        session = self.session
        if session is not None and key == self._key and self._can_take(agent, session):
            session.interrupt()
            session.clear_audio()
            can = session.capabilities
            self.refresh(
                instructions=can.mutable_instructions, chat_ctx=can.mutable_chat_context, tools=can.mutable_tools
            )
        else:
            self.leave()
            self._open(model, detects_turns=detects_turns)
            self._key = key
            self.refresh(instructions=True, chat_ctx=True, tools=True, fresh=True)
        self._agent = agent

    def _open(self, model: RealtimeModel, *, detects_turns: bool) -> None:
        disabled = model.capabilities.turn_detection and not detects_turns
        # Models that can't leave turns to us need not know the argument.
        session = model.session(turn_detection_disabled=True) if disabled else model.session()
        for name, handler in self._handlers.items():
            session.on(name, handler)
        if isinstance(session, FallbackRealtimeSession):
            session._agent_session = self._engine.session
        self.session, self.detects_turns = session, detects_turns

    def _can_take(self, agent: Agent, session: RealtimeSession[Any]) -> bool:
        """Whether `agent` can go on with the session: what the model can't be told again must be the same."""
        old, can, offered = self._agent, session.capabilities, self._engine.replies.offered_tools
        return old is not None and (
            (can.mutable_instructions or instructions_text(old) == instructions_text(agent))
            and (can.mutable_tools or ToolContext(offered(old)) == ToolContext(offered(agent)))
            and (can.mutable_chat_context or _remembered(session.chat_ctx).is_equivalent(_conversation(agent)))
        )

    def leave(self) -> None:
        """Close the session, if one is open, once it has been told what was on its way to it."""
        session = self._let_go()
        if session is None:
            return
        self._left.append(session)

        async def close() -> None:
            if session in self._left:
                self._left.remove(session)
                await session.aclose()

        self._then(close)

    async def aclose(self) -> None:
        """End the conversation with the model, and those that were left and are still to be closed."""
        session, left = self._let_go(), self._left.copy()
        self._left.clear()
        for each in ([session] if session is not None else []) + left:
            await each.aclose()

    def _let_go(self) -> RealtimeSession[Any] | None:
        session = self.session
        if session is None:
            return None
        for name, handler in self._handlers.items():
            session.off(name, handler)
        if isinstance(session, FallbackRealtimeSession):
            session._agent_session = None
        self.session = self._key = self._agent = None
        self.detects_turns = False
        self.expect_no_tool_reply()
        return session

    # --- what it is told ---------------------------------------------------------------------------------------------

    def refresh(
        self, *, instructions: bool = False, chat_ctx: bool = False, tools: bool = False, fresh: bool = False
    ) -> None:
        """Tell the model what the agent is told, remembers or may call now. `fresh`: it knows nothing of it yet."""
        engine, session = self._engine, self.session
        if session is None or not (instructions or chat_ctx or tools):
            return

        async def tell_all() -> None:
            agent = engine.require_agent()
            try:
                await session._update_session(
                    instructions=instructions_text(agent) if instructions else NOT_GIVEN,
                    chat_ctx=_conversation(agent) if chat_ctx else NOT_GIVEN,
                    tools=engine.replies.offered_tools(agent) if tools else NOT_GIVEN,
                )
            except Exception as error:
                # A session that couldn't be told who it is would answer as nobody.
                label = session.realtime_model.label
                failure = RealtimeModelError(
                    timestamp=engine.report.wall(), label=label, error=error, recoverable=not fresh
                )
                session.emit("error", failure)

        async def tell_one() -> None:
            agent = engine.require_agent()
            if instructions:
                await session.update_instructions(instructions_text(agent))
            elif chat_ctx:
                await session.update_chat_ctx(_conversation(agent))
            else:
                await session.update_tools(engine.replies.offered_tools(agent))

        self._then(tell_one if not fresh and instructions + chat_ctx + tools == 1 else tell_all)

    def add_items(self, items: Sequence[ChatItem]) -> None:
        """Have the model remember these too, those that it doesn't know."""
        session = self.session
        if session is None or not items:
            return
        if session.capabilities.auto_tool_reply_generation and any(
            isinstance(item, FunctionCallOutput) and item.reply_required for item in items
        ):
            self._tool_reply = asyncio.get_running_loop().create_future()

        takes_calls = session.capabilities.manual_function_calls

        async def add() -> None:
            context = session.chat_ctx.copy()
            unknown = [item for item in items if context.index_by_id(item.id) is None]
            # A model that was given another conversation meanwhile has forgotten which tools it called.
            context.items.extend(item for item in unknown if takes_calls or not isinstance(item, FunctionCall))
            await session.update_chat_ctx(context)

        self._then(add)

    def add_spoken(self, messages: Sequence[ChatItem]) -> None:
        """Have the model remember what a voice of ours said, if its conversation can be changed."""
        if self.session is not None and self.session.capabilities.mutable_chat_context:
            self.add_items(messages)

    def _then(self, work: Callable[[], Awaitable[None]]) -> None:
        previous = self._pushing

        async def run() -> None:
            if previous is not None and not previous.done():
                await asyncio.wait([previous])
            try:
                await work()
            except Exception as error:
                self._engine.report.failed("llm", error)

        self._pushing = self._engine.spawn(run(), "update realtime model")

    def push_audio(self, frame: AudioFrame) -> None:
        """Let the model hear."""
        if self.session is not None:
            self.session.push_audio(frame)

    def push_video(self, frame: VideoFrame) -> None:
        """Let the model see."""
        if self.session is not None:
            self.session.push_video(frame)

    def commit_audio(self, turn_id: str, *, transcribed: bool) -> None:
        """The user's turn is over, we say: the model is to remember what it heard."""
        if self.session is not None:
            self._untranscribed = None if transcribed else (turn_id, self._before_now())
            self.session.commit_audio()

    def clear_audio(self, *, asked: bool = False) -> None:
        """The user's turn is forgotten; where the model makes the turns only if somebody `asked` for that."""
        if self.session is not None and (asked or not self.detects_turns):
            self.session.clear_audio()

    def user_speaks(self, seconds: float) -> None:
        """Our detector has heard the user for that long: a model that leaves turns to us may want to know."""
        if self.session is None or self.detects_turns:
            return
        enough = seconds >= self._engine.machine.settings.min_duration
        if enough and not self._told_of_voice:
            self.session.start_user_activity()
        self._told_of_voice = enough

    def stop(self) -> None:
        """Have the model end its answer."""
        if self.session is not None:
            self.session.interrupt()

    async def ask(
        self,
        speech: SpeechHandle,
        *,
        instructions: str | None,
        tool_choice: NotGivenOr[ToolChoice],
        tools: NotGivenOr[list[Tool]],
    ) -> GenerationCreatedEvent | None:
        """Have the model answer, once it knows everything. None if the speech was interrupted. Raises RealtimeError."""
        await self._all_told(speech)
        session = self.session
        if speech.interrupted or session is None:
            return None
        one_by_one = session.capabilities.per_response_tool_choice
        in_reply: NotGivenOr[ToolChoice] = tool_choice if one_by_one else NOT_GIVEN
        before: list[Tool] | None = None
        if not one_by_one and tool_choice is not NOT_GIVEN:
            session.update_options(tool_choice=tool_choice)
        if not one_by_one and is_given(tools):
            before = session.tools.flatten()
            await session.update_tools(tools)
        try:
            return await self._begun(
                speech,
                session.generate_reply(
                    instructions=instructions or NOT_GIVEN,
                    tool_choice=in_reply,
                    tools=tools if one_by_one else NOT_GIVEN,
                ),
            )
        finally:
            if not one_by_one and tool_choice is not NOT_GIVEN:
                session.update_options(tool_choice=None)
            if before is not None:
                await session.update_tools(before)

    async def say(self, speech: SpeechHandle, text: Any) -> GenerationCreatedEvent | None:
        """Have the model speak a text. None if the speech was interrupted. Raises RealtimeError."""
        await self._all_told(speech)
        if speech.interrupted or self.session is None:
            return None
        return await self._begun(speech, self.session.say(text))

    async def tool_reply(self, speech: SpeechHandle) -> GenerationCreatedEvent | None:
        """The answer to its tools that a model begins by itself. None if none came in time."""
        expected = self._tool_reply
        if expected is None:
            return None
        timer = asyncio.create_task(self._engine.clock.sleep(TOOL_REPLY_TIMEOUT))
        ends: set[asyncio.Future[Any]] = {expected, timer, speech._interrupted}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            self.expect_no_tool_reply()
        if expected.done():
            return expected.result()
        if not speech.interrupted:
            logger.warning("the model didn't answer to its tools within %s s", TOOL_REPLY_TIMEOUT)
        return None

    def expect_no_tool_reply(self) -> None:
        """Nobody waits for an answer to the tools: if one comes all the same, it is a speech of its own."""
        self._tool_reply = None

    @property
    def answers_to_tools(self) -> bool:
        """Whether the model was given outputs to which it answers without being asked."""
        return self._tool_reply is not None

    async def _all_told(self, speech: SpeechHandle) -> None:
        while self._pushing is not None and not self._pushing.done() and not speech.interrupted:
            await speech.wait_if_not_interrupted([self._pushing])

    async def _begun(
        self, speech: SpeechHandle, asked: asyncio.Future[GenerationCreatedEvent]
    ) -> GenerationCreatedEvent | None:
        try:
            await speech.wait_if_not_interrupted([asked])
            if not speech.interrupted:
                return asked.result()
            if asked.done():
                self.stop()
            return None
        finally:
            if not asked.done():
                asked.cancel()

    # --- what it tells -----------------------------------------------------------------------------------------------

    def _speech_started(self, _: InputSpeechStartedEvent) -> None:
        engine = self._engine
        if engine.vad is None:
            engine.feed(inputs.VoiceStarted(engine.clock.now()))
        if self.session is not None and not self.overlaps:
            stop_speech(engine, "voice")

    def _speech_stopped(self, _: InputSpeechStoppedEvent) -> None:
        if self._engine.vad is None:
            self._engine.feed(inputs.VoiceEnded(self._engine.clock.now()))

    def _transcription_completed(self, event: InputTranscriptionCompleted) -> None:
        self.user_said(
            event.transcript,
            is_final=event.is_final,
            item_id=event.item_id,
            confidence=1.0 if event.confidence is None else event.confidence,
            started_at=event.turn_started_at,
        )

    def user_said(
        self,
        text: str,
        *,
        is_final: bool,
        item_id: str | None = None,
        confidence: float = 1.0,
        started_at: float | None = None,
    ) -> None:
        """What the user said became known, as text: mostly after the turn was taken."""
        engine = self._engine
        if engine.ignores_transcripts():
            return
        turn_id, taken_at = self._untranscribed or (engine.ensure_turn(), self._before_now())
        engine.report.transcribed(text, is_final=is_final, item_id=item_id, turn_id=turn_id)
        if not is_final:
            return
        self._untranscribed, self._transcribed = None, turn_id
        if not text:
            return
        message = ChatMessage(
            role="user",
            content=[text],
            transcript_confidence=confidence,
            # Where the turn was, and not where its transcript came: the answer may be there already.
            created_at=started_at if started_at is not None else taken_at,
        )
        if item_id is not None:
            message.id = item_id
        engine.agents.add_item(engine.require_agent(), message, turn_id)

    def turn_taken(self, turn_id: str, clock: TurnClock) -> None:
        """The machine closed the turn that the model answers."""
        self._taken = (turn_id, clock)
        self._untranscribed = None if turn_id == self._transcribed else (turn_id, self._before_now())

    def _generation_created(self, generation: GenerationCreatedEvent) -> None:
        engine = self._engine
        if generation.user_initiated or engine.closing:
            return
        if self._tool_reply is not None and not self._tool_reply.done():
            self._tool_reply.set_result(generation)
            return
        if engine.agents.switching:
            logger.warning("the model answers while another agent takes over: it is stopped")
            self.stop()
            return
        engine.feed(inputs.ModelAnswers())
        taken, self._taken = self._taken, None
        turn_id = taken[0] if taken is not None else engine.report.turn_started("generate_reply")
        speech = engine.replies.generate(
            ReplyRequest(engine.require_agent(), cause="turn", generation=generation),
            allow_interruptions=engine.allows_interruptions(),
            input_details=InputDetails("audio"),
            turn_id=turn_id,
            user_initiated=False,
        )
        if taken is not None:
            speech._turn_clock = taken[1]

    def _metrics_collected(self, metrics: Any) -> None:
        if isinstance(metrics, RealtimeModelMetrics) and metrics.request_id:
            self._metrics[metrics.request_id] = metrics

    def tokens(self, response_id: str | None) -> tuple[int, int, int]:
        """(in, out, cached) of an answer, as far as the model has told."""
        metrics = self._metrics.get(response_id or "")
        if metrics is None:
            return 0, 0, 0
        return metrics.input_tokens, metrics.output_tokens, metrics.input_token_details.cached_tokens

    def _before_now(self) -> float:
        """A time for what comes before everything that is made at this moment."""
        return math.nextafter(self._engine.report.wall(), 0.0)


def _conversation(agent: Agent) -> ChatContext:
    return _remembered(agent._chat_ctx)


def _remembered(context: ChatContext) -> ChatContext:
    """What of it the model is to remember: instructions go another way, and of handoffs it knows nothing."""
    return context.copy(
        exclude_instructions=True, exclude_empty_message=True, exclude_handoff=True, exclude_config_update=True
    )
