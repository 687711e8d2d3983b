"""What a session can be asked: its conversation, states, providers and options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agent_runtime.llm import ChatContext
from agent_runtime.metrics import AgentSessionUsage
from agent_runtime.types import NOT_GIVEN, AgentState, NotGivenOr, UserState, is_given
from agent_runtime.utils import EventEmitter
from agent_runtime.voice.defaults import default_turn_detector, default_vad
from agent_runtime.voice.events import EventTypes

if TYPE_CHECKING:
    from agent_runtime import llm as llm_
    from agent_runtime import stt as stt_
    from agent_runtime import tts as tts_
    from agent_runtime import vad as vad_
    from agent_runtime.events import EventStream
    from agent_runtime.room import RoomIO
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.amd import AMD
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.expressive import ExpressiveOptions
    from agent_runtime.voice.options import AgentSessionOptions, SessionConnectOptions
    from agent_runtime.voice.session_io import AgentInput, AgentOutput
    from agent_runtime.voice.speech_handle import SpeechHandle
    from agent_runtime.voice.stt_context import SttContext
    from agent_runtime.voice.tool_handling import ToolHandlingOptions
    from agent_runtime.voice.turn import TurnDetectionMode, TurnDetector, TurnHandlingOptions
    from agent_tools import Tool, Toolset
    from agent_tools.mcp import MCPServer

Userdata_T = TypeVar("Userdata_T")


class SessionProperties(EventEmitter[EventTypes], Generic[Userdata_T]):
    """The part of `AgentSession` that only tells; the session itself fills it."""

    _engine: Engine
    _events: EventStream
    _input: AgentInput
    _output: AgentOutput
    _options: AgentSessionOptions
    _stt: stt_.STT[Any] | None
    _llm: llm_.LLM[Any] | llm_.RealtimeModel | None
    _tts: tts_.TTS[Any] | None
    _vad: NotGivenOr[vad_.VAD | None]
    _turn_detector: NotGivenOr[TurnDetector | None] = NOT_GIVEN
    _tools: list[Tool | Toolset]
    _turn_handling: TurnHandlingOptions
    _mcp_servers: list[MCPServer] | None
    _tool_handling: NotGivenOr[ToolHandlingOptions]
    _userdata: Userdata_T | None
    _stt_context: SttContext
    _expressive: bool | ExpressiveOptions
    _room_io: RoomIO | None = None
    _amd: AMD | None = None
    _started: bool
    _closed: bool

    @property
    def events(self) -> EventStream:
        """Everything that happens."""
        return self._events

    @property
    def input(self) -> AgentInput:
        """What it hears and sees with."""
        return self._input

    @property
    def output(self) -> AgentOutput:
        """What it speaks and writes through."""
        return self._output

    @property
    def history(self) -> ChatContext:
        """The whole conversation, over all agents."""
        return self._engine.history

    @property
    def current_agent(self) -> Agent:
        """The agent that has the conversation. Raises RuntimeError before `start`."""
        return self._engine.require_agent()

    @property
    def current_speech(self) -> SpeechHandle | None:
        """The speech that has the floor."""
        return self._engine.scheduler.current

    @property
    def user_state(self) -> UserState:
        """What the user does."""
        return self._engine.machine.user_state

    @property
    def agent_state(self) -> AgentState:
        """What the agent does."""
        return self._engine.machine.agent_state

    @property
    def usage(self) -> AgentSessionUsage:
        """What was used so far, by model."""
        return AgentSessionUsage(self._engine.providers.usage.flatten())

    @property
    def userdata(self) -> Userdata_T:
        """What was given as `userdata`. Raises ValueError if nothing was."""
        if self._userdata is None:
            raise ValueError("this session has no userdata; give some to AgentSession(userdata=…)")
        return self._userdata

    @userdata.setter
    def userdata(self, value: Userdata_T) -> None:
        self._userdata = value

    @property
    def tools(self) -> list[Tool | Toolset]:
        """Tools of every agent of the session."""
        return self._tools.copy()

    @property
    def mcp_servers(self) -> list[MCPServer] | None:
        """What was given as `mcp_servers`."""
        return self._mcp_servers

    @property
    def conn_options(self) -> SessionConnectOptions:
        """How providers' requests are tried again, and how many failures end the session."""
        return self._options.conn_options

    @property
    def turn_detection(self) -> TurnDetectionMode | None:
        """How the end of a turn is found unless the agent says otherwise: what was given, or the bundled detector."""
        given = self._turn_handling.get("turn_detection", NOT_GIVEN)
        return given if given is not NOT_GIVEN else self.resolve_turn_detector()

    @property
    def amd(self) -> AMD | None:
        """What finds out who answered, while it does."""
        return self._amd

    @property
    def keyterms(self) -> list[str]:
        """What the recogniser listens for: the terms that were given, then those that were found."""
        return self._stt_context.keyterms

    @property
    def interruption_detection(self) -> NotGivenOr[Any]:
        """By what an interruption is known unless the agent says otherwise, as given."""
        return self._turn_handling.get("interruption", {}).get("mode", NOT_GIVEN)

    @property
    def options(self) -> AgentSessionOptions:
        """Its options, complete."""
        return self._options

    @property
    def stt(self) -> stt_.STT[Any] | None:
        """The recogniser of agents that bring none."""
        return self._stt

    @property
    def llm(self) -> llm_.LLM[Any] | llm_.RealtimeModel | None:
        """The language model of agents that bring none."""
        return self._llm

    @property
    def tts(self) -> tts_.TTS[Any] | None:
        """The voice of agents that bring none."""
        return self._tts

    @property
    def vad(self) -> vad_.VAD | None:
        """The detector of agents that bring none."""
        return self.resolve_vad()

    @property
    def room_io(self) -> RoomIO:
        """What joins it to a room. Raises RuntimeError if it isn't in one."""
        if self._room_io is None:
            raise RuntimeError("the session isn't in a room: start it with `room=…`")
        return self._room_io

    @property
    def started(self) -> bool:
        """Whether it runs."""
        return self._started and not self._closed

    def resolve_vad(self) -> vad_.VAD | None:
        """The given detector, else the bundled one, else None."""
        if not is_given(self._vad):
            self._vad = default_vad()
        return self._vad

    def resolve_turn_detector(self) -> TurnDetector | None:
        """The bundled turn detector, None where it isn't installed."""
        if not is_given(self._turn_detector):
            self._turn_detector = default_turn_detector()
        return self._turn_detector


def left_open(**parts: object) -> frozenset[str]:
    """The names of those that weren't given."""
    return frozenset(name for name, part in parts.items() if part is NOT_GIVEN)
