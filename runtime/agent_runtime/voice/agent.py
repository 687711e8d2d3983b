"""An agent: what it is told, what it can do, and the nodes and hooks by which it can be changed."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

from agent_runtime.llm import ChatContext, ReadOnlyChatContext, ToolChoice
from agent_runtime.llm.session_model import for_session
from agent_runtime.stand_ins import StandIn, given_part, usable_tools
from agent_runtime.types import NOT_GIVEN, FlushSentinel, NotGivenOr, TimedString, is_given
from agent_runtime.utils import aio
from agent_runtime.voice.expressive import directed, expressive_options
from agent_runtime.voice.made_with import RemembersArguments
from agent_runtime.voice.mcp_servers import toolsets_of
from agent_runtime.voice.rehearsal import current_rehearsal
from agent_runtime.voice.turn import TurnDetectionMode, TurnHandlingOptions, with_old_arguments
from agent_tools import HandoffTarget, Tool, Toolset, find_function_tools

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime import llm as llm_
    from agent_runtime import stt as stt_
    from agent_runtime import tts as tts_
    from agent_runtime import vad as vad_
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.events import UserTurnExceededEvent
    from agent_runtime.voice.expressive import ExpressiveOptions
    from agent_runtime.voice.session import AgentSession
    from agent_runtime.voice.tool_handling import ToolHandlingOptions
    from agent_tools.mcp import MCPServer

Part_T = TypeVar("Part_T")

INSTRUCTIONS_ID = "lk.agent_task.instructions"
"""Id of the message that holds an agent's instructions; LiveKit's, so that saved conversations can be exchanged."""


@dataclass
class ModelSettings:
    """What a node may want to know of the request that it serves."""

    tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN


class Agent(RemembersArguments, HandoffTarget):
    """Subclass it, or make one with `instructions` and `tools`.

    Methods decorated with `@function_tool` are its tools. What is left out is the session's; None opts out of it. The
    nodes (`stt_node`, `llm_node`, `tts_node`, `transcription_node`, `realtime_audio_output_node`) and hooks (`on_enter`
    …) may be overridden; what they do by default is under `Agent.default`.
    """

    def __init__(
        self,
        *,
        instructions: str | llm_.Instructions,
        id: str | None = None,
        chat_ctx: NotGivenOr[ChatContext | None] = NOT_GIVEN,
        tools: list[Tool | Toolset] | None = None,
        mcp_servers: NotGivenOr[list[MCPServer] | None] = NOT_GIVEN,
        stt: NotGivenOr[stt_.STT[Any] | str | None] = NOT_GIVEN,
        vad: NotGivenOr[vad_.VAD | None] = NOT_GIVEN,
        turn_handling: NotGivenOr[TurnHandlingOptions] = NOT_GIVEN,
        llm: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | llm_.DuplexModel | str | None] = NOT_GIVEN,
        tts: NotGivenOr[tts_.TTS[Any] | str | None] = NOT_GIVEN,
        tool_handling: NotGivenOr[ToolHandlingOptions] = NOT_GIVEN,
        min_consecutive_speech_delay: NotGivenOr[float] = NOT_GIVEN,
        use_tts_aligned_transcript: NotGivenOr[bool] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
        turn_detection: NotGivenOr[Any] = NOT_GIVEN,
        min_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        max_endpointing_delay: NotGivenOr[float] = NOT_GIVEN,
        allow_interruptions: NotGivenOr[bool] = NOT_GIVEN,
    ) -> None:
        self._id = id or ("default_agent" if type(self) is Agent else _snake_case(type(self).__name__))
        self._instructions = instructions
        self._tools: list[Tool | Toolset] = [
            *usable_tools(tools),
            *toolsets_of(mcp_servers),
            *find_function_tools(self),
        ]
        self._mcp_servers = mcp_servers if mcp_servers or mcp_servers is NOT_GIVEN else None
        self._chat_ctx = chat_ctx.copy(tools=self._tools) if chat_ctx else ChatContext.empty()
        named = (("stt", stt), ("vad", vad), ("llm", llm), ("tts", tts))
        self._left_to_session = {name for name, part in named if isinstance(part, StandIn | str)}
        """Parts that the author gave and that can't be used: the session's are the agent's own then."""
        self._stt: NotGivenOr[stt_.STT[Any] | None] = given_part("stt", stt)
        self._vad: NotGivenOr[vad_.VAD | None] = given_part("vad", vad)
        self._llm: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | None] = for_session(given_part("llm", llm))
        self._tts: NotGivenOr[tts_.TTS[Any] | None] = given_part("tts", tts)
        self._turn_handling = with_old_arguments(
            turn_handling,
            {
                "turn_detection": turn_detection,
                "min_endpointing_delay": min_endpointing_delay,
                "max_endpointing_delay": max_endpointing_delay,
                "allow_interruptions": allow_interruptions,
            },
        )
        self._tool_handling = tool_handling
        self._min_consecutive_speech_delay = min_consecutive_speech_delay
        self._use_tts_aligned_transcript = use_tts_aligned_transcript
        self._expressive = expressive
        self._activity: Engine | None = None
        self._agent_task_lock = asyncio.Lock()
        """Held by the one `AgentTask` that it awaits at a time."""

    @property
    def id(self) -> str:
        """Its name: the class's in snake_case, unless one was given."""
        return self._id

    @property
    def label(self) -> str:
        """Its name, for people."""
        return self._id

    @property
    def instructions(self) -> str | llm_.Instructions:
        """What it is told."""
        return self._instructions

    @property
    def tools(self) -> list[Tool | Toolset]:
        """A copy of its tools."""
        return self._tools.copy()

    @property
    def chat_ctx(self) -> ChatContext:
        """Its conversation so far, read-only; `copy()` it to change it, then `update_chat_ctx`."""
        return ReadOnlyChatContext(self._chat_ctx.items)

    @property
    def stt(self) -> NotGivenOr[stt_.STT[Any] | None]:
        """Its own recogniser."""
        return self._own_part("stt", self._stt)

    @property
    def vad(self) -> NotGivenOr[vad_.VAD | None]:
        """Its own voice activity detector."""
        return self._own_part("vad", self._vad)

    @property
    def llm(self) -> NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | None]:
        """Its own language model."""
        return self._own_part("llm", self._llm)

    @property
    def tts(self) -> NotGivenOr[tts_.TTS[Any] | None]:
        """Its own voice."""
        return self._own_part("tts", self._tts)

    def _own_part(self, kind: str, own: Part_T) -> Part_T:
        is_left = not is_given(own) and kind in self._left_to_session
        return cast("Part_T", getattr(self.session, kind)) if is_left and self._activity is not None else own

    @property
    def mcp_servers(self) -> NotGivenOr[list[MCPServer] | None]:
        """What was given as `mcp_servers`."""
        return self._mcp_servers

    @property
    def turn_handling(self) -> TurnHandlingOptions:
        """What it wants of turns, as given."""
        return self._turn_handling

    @property
    def turn_detection(self) -> NotGivenOr[TurnDetectionMode | None]:
        """How it wants the end of a turn to be found."""
        return self._turn_handling.get("turn_detection", NOT_GIVEN)

    @property
    def allow_interruptions(self) -> NotGivenOr[bool]:
        """Whether it wants to be interrupted."""
        return self._turn_handling.get("interruption", {}).get("enabled", NOT_GIVEN)

    @property
    def interruption_detection(self) -> NotGivenOr[Any]:
        """By what it wants an interruption to be known."""
        return self._turn_handling.get("interruption", {}).get("mode", NOT_GIVEN)

    @property
    def min_endpointing_delay(self) -> NotGivenOr[float]:
        """Seconds that it wants to wait at least after the user's last word."""
        return self._turn_handling.get("endpointing", {}).get("min_delay", NOT_GIVEN)

    @property
    def max_endpointing_delay(self) -> NotGivenOr[float]:
        """Seconds that it wants to wait where the user doesn't seem to be done."""
        return self._turn_handling.get("endpointing", {}).get("max_delay", NOT_GIVEN)

    @property
    def min_consecutive_speech_delay(self) -> NotGivenOr[float]:
        """Seconds of silence that it wants between two speeches."""
        return self._min_consecutive_speech_delay

    @property
    def use_tts_aligned_transcript(self) -> NotGivenOr[bool]:
        """Whether it wants the times of words from its voice."""
        return self._use_tts_aligned_transcript

    @property
    def expressive(self) -> NotGivenOr[bool | ExpressiveOptions]:
        """Whether, or how, it says how each sentence is spoken."""
        return self._expressive

    @property
    def session(self) -> AgentSession[Any]:
        """The session that it runs in. Raises RuntimeError while it doesn't run."""
        return self._get_activity_or_raise().session

    @property
    def realtime_llm_session(self) -> llm_.RealtimeSession[Any]:
        """The session of the realtime model that it talks by. Raises RuntimeError if there is none."""
        session = self._get_activity_or_raise().realtime.session
        if session is None:
            raise RuntimeError(f"the agent {self._id!r} talks by no realtime model")
        return session

    @property
    def duplex_session(self) -> llm_.DuplexSession[Any]:
        """The session of the duplex model that it talks by. Raises RuntimeError if there is none."""
        from agent_runtime.llm.duplex_adapter import DuplexRealtimeSession

        session = self._get_activity_or_raise().realtime.session
        if not isinstance(session, DuplexRealtimeSession):
            raise RuntimeError(f"the agent {self._id!r} talks by no duplex model")
        return session.duplex_session

    def _get_activity_or_raise(self) -> Engine:
        if self._activity is None:
            raise RuntimeError(f"the agent {self._id!r} is not running; start it with `session.start(agent)`")
        return self._activity

    async def update_instructions(self, instructions: str | llm_.Instructions) -> None:
        """Tell it something else from its next reply on."""
        self._instructions = instructions
        if self._activity is not None:
            self._activity.agents.instructions_changed(self)

    async def update_tools(self, tools: Sequence[Tool | Toolset]) -> None:
        """Give it these tools instead, from its next reply on. Raises TypeError for what is no tool."""
        for tool in tools:
            if not isinstance(tool, Tool | Toolset):
                raise TypeError(f"{tool!r} is no tool; decorate functions with @function_tool")
        old, self._tools = self._tools, list({tool.id: tool for tool in tools}.values())
        if self._activity is not None:
            await self._activity.agents.tools_changed(self, old)

    async def update_chat_ctx(self, chat_ctx: ChatContext, *, exclude_invalid_function_calls: bool = True) -> None:
        """Have it remember this conversation instead; the calls of tools that it doesn't have are left out."""
        kept = chat_ctx.copy(tools=self._tools) if exclude_invalid_function_calls else chat_ctx.copy()
        self._chat_ctx = kept
        if self._activity is not None:
            self._activity.agents.conversation_changed(self)

    def update_options(
        self,
        *,
        stt: NotGivenOr[stt_.STT[Any] | None] = NOT_GIVEN,
        vad: NotGivenOr[vad_.VAD | None] = NOT_GIVEN,
        llm: NotGivenOr[llm_.LLM[Any] | llm_.RealtimeModel | llm_.DuplexModel | None] = NOT_GIVEN,
        tts: NotGivenOr[tts_.TTS[Any] | None] = NOT_GIVEN,
        expressive: NotGivenOr[bool | ExpressiveOptions] = NOT_GIVEN,
    ) -> None:
        """Change over to other providers, or to expressive speech, in mid-conversation if it runs."""
        if expressive is not NOT_GIVEN:
            self._expressive = expressive
        if stt is not NOT_GIVEN:
            self._stt = stt
        if vad is not NOT_GIVEN:
            self._vad = vad
        if llm is not NOT_GIVEN:
            self._llm = for_session(llm)
        if tts is not NOT_GIVEN:
            self._tts = tts
        if self._activity is not None and self._activity.agent is self:
            self._activity.apply_options()

    # --- hooks -------------------------------------------------------------------------------------------------------

    async def on_enter(self) -> None:
        """It takes over the conversation."""

    async def on_exit(self) -> None:
        """It hands the conversation over."""

    async def on_user_turn_completed(self, turn_ctx: ChatContext, new_message: llm_.ChatMessage) -> None:
        """The user is done and the reply is about to be generated.

        `turn_ctx` may be changed for this reply only, `new_message` for good. Raise StopResponse for no reply.
        """

    async def on_user_turn_exceeded(self, ev: UserTurnExceededEvent) -> None:
        """The user talks longer than `user_turn_limit` allows. By default it politely cuts in."""
        if ev.transcript:
            # What they said becomes part of the conversation with the reply, and must not become one again.
            self.session.clear_user_turn()
        await self.session.generate_reply(
            user_input=ev.transcript or NOT_GIVEN,
            instructions="The user has talked for long. Cut in politely with one short sentence.",
            allow_interruptions=False,
            tool_choice="none",
        )

    # --- nodes -------------------------------------------------------------------------------------------------------

    def stt_node(
        self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterable[stt_.SpeechEvent | str] | Coroutine[Any, Any, AsyncIterable[stt_.SpeechEvent | str] | None]:
        """Speech to text."""
        return Agent.default.stt_node(self, audio, model_settings)

    def llm_node(
        self, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
    ) -> (
        AsyncIterable[llm_.ChatChunk | str | FlushSentinel]
        | Coroutine[Any, Any, AsyncIterable[llm_.ChatChunk | str | FlushSentinel] | str | llm_.ChatChunk | None]
    ):
        """Conversation to answer. `chat_ctx` and `tools` may be changed before they go to the model."""
        return Agent.default.llm_node(self, chat_ctx, tools, model_settings)

    def tts_node(
        self, text: AsyncIterable[str], model_settings: ModelSettings
    ) -> AsyncIterable[AudioFrame] | Coroutine[Any, Any, AsyncIterable[AudioFrame] | None]:
        """Text to speech."""
        return Agent.default.tts_node(self, text, model_settings)

    def transcription_node(
        self, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
    ) -> AsyncIterable[str | TimedString] | Coroutine[Any, Any, AsyncIterable[str | TimedString] | None]:
        """What is shown and remembered of what is said."""
        return Agent.default.transcription_node(self, text, model_settings)

    def realtime_audio_output_node(
        self, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
    ) -> AsyncIterable[AudioFrame] | Coroutine[Any, Any, AsyncIterable[AudioFrame] | None]:
        """What a realtime model says, on its way to the output."""
        return Agent.default.realtime_audio_output_node(self, audio, model_settings)

    class default:
        """What the nodes do unless they are overridden."""

        @staticmethod
        async def stt_node(
            agent: Agent, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
        ) -> AsyncGenerator[stt_.SpeechEvent, None]:
            """The recogniser of the agent, else of the session."""
            engine = agent._get_activity_or_raise()
            stt = engine.require_stt()
            async with stt.stream(conn_options=engine.options.conn_options.stt_conn_options) as stream:
                engine.recognition.recognizer_streams.add(stream)

                async def forward() -> None:
                    try:
                        async for frame in audio:
                            stream.push_frame(frame)
                    finally:
                        _end_input(stream)

                task = asyncio.create_task(forward(), name="stt_node forward")
                try:
                    async for event in stream:
                        yield event
                    if task.done():
                        task.result()
                finally:
                    engine.recognition.recognizer_streams.discard(stream)
                    await aio.cancel_and_wait(task)

        @staticmethod
        async def llm_node(
            agent: Agent, chat_ctx: ChatContext, tools: list[Tool], model_settings: ModelSettings
        ) -> AsyncGenerator[llm_.ChatChunk | str | FlushSentinel, None]:
            """The model of the agent, else of the session."""
            if (rehearsal := current_rehearsal()) is not None:
                rehearsal.take(chat_ctx)
                return
            engine = agent._get_activity_or_raise()
            stream = engine.require_llm().chat(
                chat_ctx=chat_ctx,
                tools=tools,
                tool_choice=model_settings.tool_choice,
                conn_options=engine.options.conn_options.llm_conn_options,
            )
            async with stream:
                async for chunk in stream:
                    yield chunk

        @staticmethod
        async def tts_node(
            agent: Agent, text: AsyncIterable[str], model_settings: ModelSettings
        ) -> AsyncGenerator[AudioFrame, None]:
            """The voice of the agent, else of the session."""
            engine = agent._get_activity_or_raise()
            tts = engine.require_tts()
            text = directed(text, tts, expressive=expressive_options(engine, agent) is not None)
            async with tts.stream(conn_options=engine.options.conn_options.tts_conn_options) as stream:

                async def forward() -> None:
                    try:
                        async for piece in text:
                            stream.push_text(piece)
                    finally:
                        _end_input(stream)

                task = asyncio.create_task(forward(), name="tts_node forward")
                try:
                    async for audio in stream:
                        yield audio.frame
                    if task.done():
                        task.result()
                finally:
                    await aio.cancel_and_wait(task)

        @staticmethod
        async def transcription_node(
            agent: Agent, text: AsyncIterable[str | TimedString], model_settings: ModelSettings
        ) -> AsyncGenerator[str | TimedString, None]:
            """The text as it is."""
            async for piece in text:
                yield piece

        @staticmethod
        async def realtime_audio_output_node(
            agent: Agent, audio: AsyncIterable[AudioFrame], model_settings: ModelSettings
        ) -> AsyncGenerator[AudioFrame, None]:
            """The sound as it is."""
            async for frame in audio:
                yield frame


def _end_input(stream: stt_.RecognizeStream | tts_.SynthesizeStream) -> None:
    """No more input comes, whyever; a stream that failed before is closed already, and its failure is the node's."""
    with contextlib.suppress(RuntimeError):
        stream.end_input()


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
