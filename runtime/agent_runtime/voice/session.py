"""A conversation between a user and agents: `AgentSession`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack, overload

from agent_runtime import events as ev
from agent_runtime.clock import Clock, LoopClock
from agent_runtime.events import EventStream
from agent_runtime.llm import ChatContext, ChatMessage, ToolChoice
from agent_runtime.llm.session_model import for_session
from agent_runtime.stand_ins import given_part, usable_tools
from agent_runtime.telemetry import trace_session
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import shortuuid
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.agent import Agent
from agent_runtime.voice.committed_turn import commit
from agent_runtime.voice.engine import Engine
from agent_runtime.voice.events import CloseEvent, CloseReason
from agent_runtime.voice.interruption import stop_speech
from agent_runtime.voice.mcp_servers import toolsets_of
from agent_runtime.voice.options import (
    DEFAULT_TTS_TEXT_TRANSFORMS,
    AgentSessionOptions,
    SessionConnectOptions,
    TextTransforms,
)
from agent_runtime.voice.push_to_talk import PushToTalk
from agent_runtime.voice.replies import ReplyRequest, SayRequest, given_tools
from agent_runtime.voice.reply_choice import given_choice
from agent_runtime.voice.reporter import Reporter
from agent_runtime.voice.run_context import current_run_context
from agent_runtime.voice.run_result import Run_T, RunOutputOptions, RunResult
from agent_runtime.voice.scope import hand_on_turn, scope_in
from agent_runtime.voice.session_changes import SessionChanges
from agent_runtime.voice.session_io import AgentInput, AgentOutput
from agent_runtime.voice.session_properties import Userdata_T, left_open
from agent_runtime.voice.speech_handle import InputDetails, SpeechHandle
from agent_runtime.voice.stt_context import KeytermsOptions, SttContext, STTContextOptions, given_context
from agent_runtime.voice.tool_handling import ToolHandlingOptions
from agent_runtime.voice.turn import (
    OldArguments,
    TurnHandlingOptions,
    resolve_turn_handling,
    with_old_arguments,
)
from agent_runtime.voice.turn_clock import TurnClock
from agent_runtime.voice.turn_inputs import InterruptCause
from agent_runtime.voice.video import VideoSampler, VoiceActivityVideoSampler
from agent_runtime.worker.job import begin_in_job, handed_over
from agent_tools import Tool, Toolset

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, Room

    from agent_runtime import llm as llm_
    from agent_runtime import stt as stt_
    from agent_runtime import tts as tts_
    from agent_runtime import vad as vad_
    from agent_runtime.room import RoomInputOptions, RoomOptions, RoomOutputOptions
    from agent_runtime.voice.expressive import ExpressiveOptions
    from agent_runtime.voice.ivr import MenuNavigation
    from agent_tools.mcp import MCPServer

Mode: TypeAlias = Literal["local", "room", "text"]


class AgentSession(SessionChanges[Userdata_T]):
    """Holds a conversation: hears, decides whose turn it is, has the agent answer, and remembers.

    Names, defaults and meanings are those of LiveKit Agents; `docs/parity.md` lists the differences. `events` is the
    session's stream of everything that happens; `on(name, callback)` has LiveKit's events. All methods belong to the
    loop that the session was started on. Times are in seconds.

    Args:
        stt, vad, llm, tts: the providers of agents that bring none. An unset `vad` is the bundled one, if it is
            installed; None does without.
        turn_handling: when a turn ends and what interrupts; see `TurnHandlingOptions`.
        tools: tools of every agent of the session. `mcp_servers`: deprecated, see `MCPToolset`.
        tool_handling: what the model is told around calls that run for long or twice; see `ToolHandlingOptions`.
        max_tool_steps: rounds of tool calls in one reply.
        stt_context_options: what the recogniser is told beside the sound; see `STTContextOptions`.
        expressive: have the model say how each sentence is spoken, where the voice takes markup; see
            `ExpressiveOptions`. An agent may say otherwise.
        ivr_detection: the other side may be a machine with a menu: the agent may press keys, and is asked to act when
            it hears the same again or nothing at all.
        use_tts_aligned_transcript: False: what was heard is known by the voice's measured pace, even where the TTS
            tells when each word is spoken. True: an agent's `transcription_node` gets the TTS's words as `TimedString`.
        tts_text_transforms: what text goes through before it is spoken. None: nothing.
        min_consecutive_speech_delay: silence between two speeches.
        userdata: anything; `session.userdata` and `RunContext.userdata`.
        aec_warmup_duration: how long the agent can't be interrupted by voice after it first spoke, while echo
            cancellation settles. Unset: 3.0; None: not at all.
        video_sampler: which frames of `input.video` a realtime model sees; None: all. Unset: 1 a second while the user
            speaks, 0.3 otherwise.
        user_away_timeout: the user counts as away after this much silence of both. None: never.
        transcription_timeout: `user_transcription_timeout` is told if speech brings no transcript for so long after it.
        session_close_transcript_timeout: how long closing waits for the transcript of what the user said last.
        conn_options: how providers' requests are tried again, and how many failures end the session.
        loop: the loop that it belongs to; unset, the running one.
        clock: where time comes from; unset, the loop.
        session_id: name in events; unset, a random one.
    """

    _run: RunResult[Any] | None = None
    _navigation: MenuNavigation | None = None
    push_to_talk: PushToTalk
    """The user's turn by hand."""

    def __init__(
        self,
        *,
        stt: NotGivenOr[stt_.STT[Any] | str | None] = NOT_GIVEN,
        vad: NotGivenOr[vad_.VAD | None] = NOT_GIVEN,
        llm: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | llm_.DuplexModel | str | None] = NOT_GIVEN,
        tts: NotGivenOr[tts_.TTS[Any] | str | None] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions] = NOT_GIVEN,
        tools: NotGivenOr[list[Tool | Toolset]] = NOT_GIVEN,
        mcp_servers: NotGivenOr[list[MCPServer]] = NOT_GIVEN,
        tool_handling: NotGivenOr[ToolHandlingOptions] = NOT_GIVEN,
        max_tool_steps: int = 3,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        tts_text_transforms: NotGivenOr[Sequence[TextTransforms] | None] = NOT_GIVEN,
        min_consecutive_speech_delay: float = 0.0,
        userdata: NotGivenOr[Userdata_T] = NOT_GIVEN,
        video_sampler: NotGivenOr[VideoSampler | None] = NOT_GIVEN,
        aec_warmup_duration: NotGivenOr[float | None] = NOT_GIVEN,
        user_away_timeout: float | None = 15.0,
        transcription_timeout: float | None = None,
        session_close_transcript_timeout: float = 2.0,
        stt_context_options: NotGivenOr[STTContextOptions] = NOT_GIVEN,
        keyterms_options: NotGivenOr[KeytermsOptions] = NOT_GIVEN,
        expressive: bool | ExpressiveOptions = False,
        ivr_detection: bool = False,
        conn_options: NotGivenOr[SessionConnectOptions] = NOT_GIVEN,
        loop: asyncio.AbstractEventLoop | None = None,
        clock: Clock | None = None,
        session_id: str | None = None,
        **old_arguments: Unpack[OldArguments],
    ) -> None:
        super().__init__()
        handling = self._turn_handling = with_old_arguments(turn_handling, old_arguments)
        ears: NotGivenOr[stt_.STT[Any] | None] = given_part("stt", stt)
        model: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | llm_.DuplexModel | None] = given_part("llm", llm)
        voice: NotGivenOr[tts_.TTS[Any] | None] = given_part("tts", tts)
        self._stt, self._llm, self._tts = ears or None, for_session(model or None), voice or None
        self._vad: NotGivenOr[vad_.VAD | None] = given_part("vad", vad)
        self._left_open = left_open(stt=ears, llm=model, tts=voice, vad=self._vad)
        """The parts that whoever runs the session may choose: nobody said that there are none."""
        self._video_sampler = video_sampler if is_given(video_sampler) else VoiceActivityVideoSampler()
        self._tools: list[Tool | Toolset] = [*usable_tools(tools or None), *toolsets_of(mcp_servers)]
        self._tool_handling, self._mcp_servers = tool_handling, mcp_servers or None
        self._userdata: Userdata_T | None = userdata if is_given(userdata) else None
        self._options = AgentSessionOptions(
            turn_handling=resolve_turn_handling(handling),
            max_tool_steps=max_tool_steps,
            user_away_timeout=user_away_timeout,
            transcription_timeout=transcription_timeout,
            min_consecutive_speech_delay=min_consecutive_speech_delay,
            use_tts_aligned_transcript=use_tts_aligned_transcript if is_given(use_tts_aligned_transcript) else None,
            tts_text_transforms=(tts_text_transforms if is_given(tts_text_transforms) else DEFAULT_TTS_TEXT_TRANSFORMS),
            aec_warmup_duration=aec_warmup_duration if is_given(aec_warmup_duration) else 3.0,
            session_close_transcript_timeout=session_close_transcript_timeout,
            ivr_detection=ivr_detection,
            conn_options=conn_options if is_given(conn_options) else SessionConnectOptions(),
        )
        self._stt_context = SttContext(self, given_context(stt_context_options or None, keyterms_options or None))
        self._expressive: bool | ExpressiveOptions = expressive
        self._make_parts(clock or LoopClock(loop), session_id)

    def _make_parts(self, clock: Clock, session_id: str | None) -> None:
        self._clock = clock
        self._events = EventStream(session_id=session_id or shortuuid("session_"), clock=self._clock)
        self._report = Reporter(self, self._events, self._clock)
        self._engine = Engine(self, self._options, self._report, self._clock)
        self.push_to_talk = PushToTalk(self._engine)
        self._input, self._output = AgentInput(self._devices_changed), AgentOutput(self._devices_changed)
        self._started = self._closed = False

    # --- its life ----------------------------------------------------------------------------------------------------

    @overload
    async def start(
        self,
        agent: Agent,
        *,
        capture_run: Literal[True],
        room: NotGivenOr[Room] = NOT_GIVEN,
        room_options: NotGivenOr[RoomOptions] = NOT_GIVEN,
        mode: Mode | None = None,
    ) -> RunResult[None]: ...

    @overload
    async def start(
        self,
        agent: Agent,
        *,
        capture_run: Literal[False] = False,
        room: NotGivenOr[Room] = NOT_GIVEN,
        room_options: NotGivenOr[RoomOptions] = NOT_GIVEN,
        record: NotGivenOr[Any] = NOT_GIVEN,
        room_input_options: NotGivenOr[RoomInputOptions] = NOT_GIVEN,
        room_output_options: NotGivenOr[RoomOutputOptions] = NOT_GIVEN,
        mode: Mode | None = None,
    ) -> None: ...

    async def start(
        self,
        agent: Agent,
        *,
        capture_run: bool = False,
        room: NotGivenOr[Room] = NOT_GIVEN,
        room_options: NotGivenOr[RoomOptions] = NOT_GIVEN,
        record: NotGivenOr[Any] = NOT_GIVEN,
        room_input_options: NotGivenOr[RoomInputOptions] = NOT_GIVEN,
        room_output_options: NotGivenOr[RoomOutputOptions] = NOT_GIVEN,
        mode: Mode | None = None,
    ) -> RunResult[None] | None:
        """Begin to hear and to answer, with `agent`. Returns when it does; `on_enter` has begun and may still run.

        With `capture_run` it returns when what `on_enter` began is over too, and tells what that was. With a `room` it
        talks to a participant of it, as `room_options` say; the room may be connected later. In a job, `record` writes
        the conversation down; see `JobContext.init_recording`.
        """
        if self._started:
            raise RuntimeError("the session was started already")
        if (start := handed_over(self, agent)) is not None:
            await start
            return None
        self._started = True
        engine = self._engine
        has_sound = self.input.audio is not None or self.output.audio is not None
        shown = mode or ("room" if is_given(room) else "local" if has_sound else "text")
        joining = begin_in_job(self, room, record)  # whoever watches the job sees the session from its first event on
        trace_session(self._events)
        self._report.emit(
            ev.SessionStarted(agent.id, shown, self._report.wall() - self._events.now(), self._options.as_plain())
        )
        run: RunResult[None] | None = RunResult(output_type=None, session=self) if capture_run else None
        self._run = run
        if run is not None:
            run._listen()
        if is_given(room):
            from agent_runtime.room import RoomIO

            self._room_io = RoomIO(
                self,
                room,
                options=room_options,
                input_options=room_input_options,
                output_options=room_output_options,
            )
            await self._room_io.start()
        await engine.agents.start(agent)
        engine.feed(inputs.Started())
        if self._options.ivr_detection and self._amd is None:
            self._navigate()
        await asyncio.sleep(0)  # on_enter begins: what it says comes before what the caller asks for next
        if joining is not None:
            await joining
        if run is not None:
            run._end_when_idle()
            await run
        return run

    def run(
        self,
        *,
        user_input: str,
        input_modality: Literal["text", "audio"] = "text",
        output_type: type[Run_T] | None = None,
        output_options: NotGivenOr[RunOutputOptions | None] = NOT_GIVEN,
    ) -> RunResult[Run_T]:
        """For tests: the user says something. Await the result for everything that follows of it.

        It is over when all is said and done: tool calls, handoffs, the replies to them. Inside of a tool or hook it
        doesn't wait for handoffs, which come afterwards. Raises RuntimeError while another run goes on.
        """
        self._running()
        if self._run is not None and not self._run.done():
            raise RuntimeError("another run goes on: await it first; nested runs are not supported")
        run = RunResult(user_input=user_input, output_type=output_type, output_options=output_options, session=self)
        self._run = run
        run._listen()
        self.generate_reply(user_input=user_input, input_modality=input_modality)
        run._end_when_idle()
        return run

    async def drain(self) -> None:
        """Wait until everything that was begun is said and done; inside of a tool or hook, everything else."""
        await self._engine.idle()

    def shutdown(self, *, drain: bool = True) -> None:
        """End it soon, after what was begun is said unless `drain` is False. Returns at once."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self._close(CloseReason.USER_INITIATED, None, drain=drain), name="close session"
            )

    async def aclose(self) -> None:
        """End it now: stop speaking, keep what tools have done, close streams and leave no task behind."""
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self._close(CloseReason.USER_INITIATED, None, drain=False), name="close session"
            )
        if asyncio.current_task() is not self._closing:
            await asyncio.shield(self._closing)

    def _close_soon(self, reason: str, error: Any = None) -> None:
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self._close(CloseReason(reason), error, drain=False), name="close session"
            )

    async def _close(self, reason: CloseReason, error: Any, *, drain: bool) -> None:
        if drain:
            await self._engine.calls.drain()
            await self.drain()
        if reason is not CloseReason.ERROR:
            await self._engine.turns.keep_last_words(self._options.session_close_transcript_timeout)
        self._stop_navigating()
        if self._amd is not None:
            await self._amd.aclose()
        await self._stt_context.aclose()
        await self._engine.aclose()
        if self._room_io is not None:
            await self._room_io.aclose()
        self._closed = True
        text = str(getattr(error, "error", error)) if error is not None else None
        self._report.emit(ev.SessionClosed(reason.value, text))
        self._report.call("close", lambda: CloseEvent(error=error, reason=reason, created_at=self._report.wall()))

    async def __aenter__(self) -> AgentSession[Userdata_T]:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    # --- speaking ----------------------------------------------------------------------------------------------------

    def say(
        self,
        text: str | AsyncIterable[str],
        *,
        audio: NotGivenOr[AsyncIterable[AudioFrame]] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        add_to_chat_ctx: bool = True,
    ) -> SpeechHandle:
        """Speak `text` as it is; with `audio`, those frames instead of the TTS.

        Raises RuntimeError where a realtime model talks that can't speak a given text, and there is no TTS.
        """
        engine = self._running()
        engine.realtime.require_voice(given=is_given(audio))
        request = SayRequest(engine.require_agent(), text, audio if is_given(audio) else None, add_to_chat_ctx)
        allow = allow_interruptions if is_given(allow_interruptions) else engine.allows_interruptions()
        speech = engine.replies.say(request, allow_interruptions=allow, turn_id=self._turn_for("say"))
        hand_on_turn(engine, speech)
        return speech

    def generate_reply(
        self,
        *,
        user_input: NotGivenOr[str | ChatMessage] = NOT_GIVEN,
        instructions: NotGivenOr[str] = NOT_GIVEN,
        tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN,
        tools: NotGivenOr[list[Any]] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
        chat_ctx: NotGivenOr[ChatContext] = NOT_GIVEN,
        input_modality: Literal["text", "audio"] = "text",
    ) -> SpeechHandle:
        """Have the model say something: an answer to `user_input`, or what `instructions` ask for.

        It waits for speeches that were scheduled before; `send_text` is for a user who types.
        """
        engine = self._running()
        agent = engine.require_agent()
        message = user_input if isinstance(user_input, ChatMessage) else None
        if isinstance(user_input, str):
            message = ChatMessage(role="user", content=[user_input], created_at=self._report.wall())
        request = ReplyRequest(
            agent,
            chat_ctx.copy() if is_given(chat_ctx) else None,
            message,
            instructions if is_given(instructions) else None,
            given_tools(tools, agent),
            tool_choice if message is not None else given_choice(tool_choice, self),
            on_enter=(scope := scope_in(engine)) is not None and scope.is_on_enter,
        )
        allow = allow_interruptions if is_given(allow_interruptions) else engine.allows_interruptions()
        speech = engine.replies.generate(
            request,
            allow_interruptions=allow,
            input_details=InputDetails(input_modality),
            turn_id=self._turn_for("text" if message is not None else "generate_reply", message),
            user_initiated=True,
        )
        if message is not None:
            speech._turn_clock = TurnClock(self._events.now())
        hand_on_turn(engine, speech)
        return speech

    def send_text(self, text: str) -> SpeechHandle:
        """The user typed a turn: the agent stops and answers it."""
        engine = self._running()
        engine.feed(inputs.Activity())
        stop_speech(engine, "text")
        return self.generate_reply(user_input=text)

    def _turn_for(self, cause: str, message: ChatMessage | None = None) -> str | None:
        """The turn of a speech that code asks for: the tool's that asks, else a new one."""
        context = current_run_context()
        if context is not None and context.session is self and not context.in_background:
            return context.speech_handle.turn_id
        scope = scope_in(self._engine)
        if scope is not None and scope.unanswered is not None:
            return scope.unanswered.turn_id
        turn_id = self._report.turn_started(cause)
        if message is not None:
            self._report.emit(ev.TurnCommitted(message.text_content or "", None), "text", turn_id=turn_id)
        return turn_id

    def interrupt(self, *, force: bool = False, cause: InterruptCause = "api") -> asyncio.Future[None]:
        """Stop the agent's speech and what is queued. The future ends when the conversation holds what was heard.

        Raises RuntimeError if what is being said doesn't allow interruptions, unless `force`.
        """
        return stop_speech(self._running(), cause, force=force, strict=True)

    # --- the user's turn ---------------------------------------------------------------------------------------------

    def commit_user_turn(
        self, *, transcript_timeout: float = 2.0, stt_flush_duration: float = 2.0, skip_reply: bool = False
    ) -> asyncio.Future[str]:
        """End the user's turn; await the rest of its transcript for `transcript_timeout`.

        Where no microphone is listened to, a recogniser that can't be told to finish hears silence for
        `stt_flush_duration`. Returns a future of what was said: see `committed_turn.commit`.
        """
        engine = self._running()
        hearing = engine.recognition
        silence = 0.0 if hearing.is_fed else stt_flush_duration
        owed = hearing.owes_transcript()
        return commit(engine, inputs.CommitRequested("manual", transcript_timeout, skip_reply, owed, silence))

    def clear_user_turn(self) -> None:
        """Forget what the user said since the last turn."""
        engine = self._running()
        engine.feed(inputs.ClearRequested("api"))
        engine.realtime.clear_audio(asked=True)

    def reset_away_timer(self) -> None:
        """The user gave a sign of life: they aren't away, and the time of silence counts from now."""
        self._running().feed(inputs.Activity())

    def _navigate(self, heard: str = "") -> None:
        """Find the way through a phone menu, of which this was heard already."""
        if self._navigation is None:
            from agent_runtime.voice.ivr import MenuNavigation

            self._navigation = MenuNavigation(self)
            self._navigation.start(heard)

    def _stop_navigating(self) -> None:
        if self._navigation is not None:
            self._navigation.stop()
            self._navigation = None

    # --- waiting -----------------------------------------------------------------------------------------------------

    async def wait_for_idle(self, *, wait_for_agent: bool = True, wait_for_user: bool = True) -> None:
        """Wait until the agent has nothing to say or do, and the user is silent with their turn decided; or for one."""
        engine = self._running()
        scope = scope_in(engine)

        def idle() -> bool:
            agent = not wait_for_agent or engine.is_idle(scope)
            # The hook that a turn waits for would wait for itself.
            decided = engine.turns.user_is_done or (scope is not None and scope.decides_turn)
            return engine.closing or (agent and (not wait_for_user or decided))

        await engine.turns.until(idle)
