"""A running session's parts, and what they ask of each other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.clock import Clock
from agent_runtime.errors import AgentConsoleError
from agent_runtime.llm import ChatContext, RealtimeModel
from agent_runtime.llm.token_count import UsageEstimate
from agent_runtime.types import NOT_GIVEN
from agent_runtime.utils import aio
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.adapters import Adapters
from agent_runtime.voice.agent import Agent
from agent_runtime.voice.agents import Agents
from agent_runtime.voice.options import AgentSessionOptions
from agent_runtime.voice.playout import Playout
from agent_runtime.voice.providers import Providers
from agent_runtime.voice.quiet import Quiet
from agent_runtime.voice.realtime_detection import model_detects, own_detection
from agent_runtime.voice.realtime_link import RealtimeLink
from agent_runtime.voice.recognition import Recognition
from agent_runtime.voice.replies import Replies
from agent_runtime.voice.reporter import Reporter
from agent_runtime.voice.running_calls import RunningCalls
from agent_runtime.voice.scheduler import SpeechScheduler
from agent_runtime.voice.scope import Scope, scope_in
from agent_runtime.voice.speech_handle import SpeechHandle
from agent_runtime.voice.tool_replies import ToolReplies
from agent_runtime.voice.tool_reports import ToolReports
from agent_runtime.voice.turn import resolve_turn_handling
from agent_runtime.voice.turn_driver import TurnDriver
from agent_runtime.voice.turn_machine import Floor, TurnMachine, TurnSettings, UserTurn
from agent_runtime.voice.turn_settings import apply_turn_settings
from agent_runtime.voice.video import Video

if TYPE_CHECKING:
    from agent_runtime.voice.session import AgentSession


STUCK_TIMEOUT = 5.0
"""Seconds that closing waits for a task of the agent's code that was cancelled."""


SETTLING_ROUNDS = 5
"""Rounds of the loop that nothing has to begin in: what follows of the end of something takes a few."""


class NoProviderError(AgentConsoleError):
    """Raised when a reply needs a provider that neither the agent nor the session has."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no {kind}: give one to AgentSession({kind}=…) or to the agent")


class Engine:
    """See the module. Everything runs on the session's loop."""

    def __init__(
        self, session: AgentSession[Any], options: AgentSessionOptions, report: Reporter, clock: Clock
    ) -> None:
        self.session = session
        self.options = options
        self.report = report
        self.estimate_usage = UsageEstimate()
        self.clock = clock
        self.history = ChatContext.empty()
        self.agent: Agent | None = None
        self.language: str | None = None
        self.running_tools = 0
        self.answers_turns = True
        """Whether the user's turns are answered: not while a machine has the line."""
        self.closing = False
        self.machine = TurnMachine(TurnSettings())
        self.scheduler = SpeechScheduler(clock, on_taken=self._floor_taken, on_released=self._floor_released)
        self.playout = Playout(clock)
        self.playout.wants_words = self._wants_words
        self.playout.wants_level = lambda: report.stream.wants(ev.AudioMeter)
        self.providers = Providers(self)
        self._adapters = Adapters()
        self.turns = TurnDriver(self, self.machine)
        self.realtime = RealtimeLink(self)
        self.recognition = Recognition(self)
        self.video = Video(self)
        self.replies = Replies(self)
        self.calls = RunningCalls(self)
        self.quiet = Quiet(self)
        self.tool_replies = ToolReplies(self)
        self.tool_reports = ToolReports(report)
        self.agents = Agents(self)
        self.push_to_talk = False
        self.turn_detector: Any = None
        self.stt: Any = None
        self.vad: Any = None
        self.llm: Any = None
        self.tts: Any = None
        self.feed: Callable[[inputs.Input], None] = self.turns.feed
        self._tasks: set[asyncio.Task[Any]] = set()
        self._words: aio.Chan[str | None] | None = None
        self._writer: asyncio.Task[None] | None = None
        self._recognizing = False

    # --- options and providers ---------------------------------------------------------------------------------------

    def apply_options(self) -> None:
        """Take the agent's and the session's providers, options and devices into use."""
        if self.closing:
            return
        agent, session = self.agent, self.session
        assert agent is not None
        self.llm = agent._llm if agent._llm is not NOT_GIVEN else session._llm
        self.tts = self._adapters.streaming_tts(agent._tts if agent._tts is not NOT_GIVEN else session._tts)
        stt = agent._stt if agent._stt is not NOT_GIVEN else session._stt
        hears = session.input.audio is not None and session.input.audio_enabled
        handling = resolve_turn_handling(session._turn_handling, agent._turn_handling)
        self.options.turn_handling = handling
        detection = handling.get("turn_detection", NOT_GIVEN)
        model = self.llm if isinstance(self.llm, RealtimeModel) else None
        by_model = model is not None and model_detects(model, "manual" if self.push_to_talk else detection)
        if model is not None and model.capabilities.user_transcription:
            stt = None
        own_vad = agent._vad is not NOT_GIVEN or "vad" not in session._left_open
        needs_vad = (hears or stt) and (own_vad or not by_model)
        self.vad = (agent._vad if agent._vad is not NOT_GIVEN else session.resolve_vad()) if needs_vad else None
        self.stt = self._adapters.streaming_stt(stt, self.vad)
        session._stt_context.use(stt)
        if model is not None:
            detection = own_detection(detection, by_model=by_model, has_vad=self.vad is not None)
            self.realtime.use(model, agent, detects_turns=by_model)
        else:
            self.realtime.leave()
        llm = self.realtime.session or self.llm
        for kind, provider in (("llm", llm), ("tts", self.tts), ("stt", self.stt), ("vad", self.vad)):
            self.providers.use(kind, provider)  # type: ignore[arg-type]  # the four kinds
        if detection is NOT_GIVEN:
            detection = session.resolve_turn_detector() if hears and self.stt is not None else None
        self.turn_detector = self.recognition.use_detector(None if isinstance(detection, str) else detection)
        apply_turn_settings(self, handling, detection)
        delay = agent._min_consecutive_speech_delay
        self.scheduler.min_delay = delay if delay is not NOT_GIVEN else self.options.min_consecutive_speech_delay
        self._apply_devices(hears)
        self.calls.tell_presence()

    def _apply_devices(self, hears: bool) -> None:
        self.playout.set_output(self.session.output.active_audio)
        self.recognition.set_source(self.session.input.audio if hears else None)
        self.video.set_source(self.session.input.active_video)
        self.recognition.set_vad(self.vad if hears else None)
        # An input that is switched off for now may still have words on their way.
        agent = self.require_agent()
        own_node = type(agent).stt_node is not Agent.stt_node
        recognizes = self.stt is not None or (own_node and not self.realtime.transcribes)
        recognizing = self.session.input.audio is not None and recognizes
        if recognizing != self._recognizing or recognizing:
            # The same recogniser goes on hearing when another agent takes over.
            key = (recognizing, self.stt, agent if recognizing and own_node else None)
            if key != getattr(self, "_recognizer_key", None):
                self._recognizer_key = key
                self.recognition.restart_recognizer(wanted=recognizing)
        self._recognizing = recognizing

    def restart_recognizer(self) -> None:
        """Have the recogniser forget what it heard."""
        self.recognition.restart_recognizer(wanted=self._recognizing)

    def require_agent(self) -> Agent:
        """The agent that has the conversation."""
        if self.agent is None:
            raise RuntimeError("the session isn't running; call `await session.start(agent)` first")
        return self.agent

    def require_llm(self) -> Any:
        """The language model. Raises NoProviderError."""
        if self.llm is None:
            raise NoProviderError("llm")
        return self.llm

    def require_stt(self) -> Any:
        """The recogniser. Raises NoProviderError."""
        if self.stt is None:
            raise NoProviderError("stt")
        return self.stt

    def require_tts(self) -> Any:
        """The voice. Raises NoProviderError."""
        if self.tts is None:
            raise NoProviderError("tts")
        return self.tts

    def can_speak(self, agent: Agent) -> bool:
        """Whether there is a voice, or a node that may do without one."""
        return self.tts is not None or type(agent).tts_node is not Agent.tts_node

    def speaks_by_voice(self) -> bool:
        """Whether there is a voice, and somebody hears it."""
        return self.tts is not None and self.playout.output is not None

    def text_transforms(self) -> list[Callable[[AsyncIterable[str]], AsyncIterable[str]]]:
        """What text goes through on its way to the voice."""
        names = self.options.tts_text_transforms
        if not names:
            return []
        from agent_runtime.voice import transforms

        return [getattr(transforms, name) if isinstance(name, str) else name for name in names]

    # --- what the machine is told and asked --------------------------------------------------------------------------

    def adopt(self, speech: SpeechHandle) -> None:
        """Hear of the interruption of a speech."""

        def interrupted(handle: SpeechHandle) -> None:
            if handle.scheduled:
                cause = handle.interrupt_cause or "api"
                self.report.emit(ev.AgentInterrupted(handle.id), cause, turn_id=handle.turn_id)
            self.feed(inputs.SpeechInterrupted(handle.id))

        def changed(handle: SpeechHandle) -> None:
            self.feed(inputs.InterruptibleChanged(handle.id, handle.allow_interruptions))

        speech._on_interrupted = interrupted
        speech._on_allow_changed = changed

    def _floor_taken(self, speech: SpeechHandle) -> None:
        self.feed(inputs.FloorTaken(speech.id, speech.allow_interruptions))

    def _floor_released(self, speech: SpeechHandle) -> None:
        busy = self.running_tools > 0 or not self.scheduler.idle or self._reply_comes(speech)
        self.feed(inputs.FloorReleased(speech.id, busy))

    def _reply_comes(self, speech: SpeechHandle) -> bool:
        # A speech that isn't over after its playout waits for tools, or for its reply to them.
        return speech in self.replies.active and self.machine.agent_state == "thinking"

    def works_beside(self, speech: SpeechHandle) -> bool:
        """Whether a tool of another speech works on, which may have said this one, and a reply to it comes."""
        return self.running_tools > 0 and any(s is not speech and not s.interrupted for s in self.replies.at_work())

    def aligned_transcript(self, agent: Agent) -> bool | None:
        """`use_tts_aligned_transcript` of the agent, else of the session; None where neither says."""
        own = agent.use_tts_aligned_transcript
        return self.options.use_tts_aligned_transcript if own is NOT_GIVEN else own

    def reads_aligned_words(self, agent: Agent) -> bool:
        """Whether an agent's transcription node gets the voice's words with their times."""
        return (
            bool(self.aligned_transcript(agent)) and self.tts is not None and self.tts.capabilities.aligned_transcript
        )

    def allows_interruptions(self) -> bool:
        """Whether speeches may be interrupted unless they say otherwise."""
        return self.options.interruption["enabled"]

    def discards_audio(self) -> bool:
        """Whether what is heard now must not be recognised."""
        if self.machine.discards_audio:
            return True
        speech = self.scheduler.current
        return (
            speech is not None
            and not speech.allow_interruptions
            and not speech.interrupted
            and self.options.interruption["discard_audio_if_uninterruptible"]
        )

    def ignores_transcripts(self) -> bool:
        """Whether nobody waits for what is recognised."""
        return self.machine.user is UserTurn.CLOSED

    def ensure_turn(self) -> str:
        """The id of the user's open turn."""
        return self.turns.ensure_turn()

    async def may_be_heard(self, speech: SpeechHandle) -> bool:
        """Wait for the floor and for the user's silence. False if the speech was interrupted."""
        await speech.wait_if_not_interrupted([speech._authorized])
        return await self.turns.may_be_heard(speech)

    def floor_held_by(self, speech: SpeechHandle) -> str | None:
        """What a speech would have to wait for before it may be heard, as a part of a turn names it."""
        if not speech._authorized.done():
            return "min_consecutive_speech_delay" if self.scheduler.min_delay > 0 else "another_speech"
        return "user_speaking" if self.turns.keeps_silent(speech) else None

    async def settled(self, speech: SpeechHandle) -> None:
        """Wait until what was heard of a speech that was just interrupted is in the conversation."""
        current = self.scheduler.current
        if current is not None and current is not speech and current.interrupted:
            step = current._step_done[-1] if current._step_done else None
            if step is not None and not step.done():
                await asyncio.wait([step])

    def spoke(self) -> None:
        """The agent is heard."""
        self.providers.speech_works()

    def speech_ended(self) -> None:
        """A speech is over."""
        self.calm_down()

    def calm_down(self) -> None:
        """See whether anything is left to say or do."""
        self.turns.tell()
        if not self.replies.at_work():
            self.feed(inputs.NothingLeft())
            self.turns.turn_is_over()
        self.tool_ended()

    def tool_ended(self) -> None:
        """A tool is over, or goes on in the background."""
        self.calls.tell_presence()
        self.agents.swaps.do_if_safe()
        self.agents.moves.tell()

    def safe_to_swap(self, unbegun: SpeechHandle | None = None) -> bool:
        """Whether new code may take over now: the agent isn't speaking and no tool is running.

        A speech is active until its tools have ended. `unbegun` is one that nothing was generated for yet.
        """
        free = self.machine.floor in (Floor.OPEN, Floor.CLOSED) or self.scheduler.current in (None, unbegun)
        return not self.closing and free and all(speech is unbegun for speech in self.replies.at_work())

    async def replies_done(self) -> None:
        """Wait until no speech is left but the one that waits here."""
        while at_work := self.replies.at_work():
            changed = self.agents.moves.change
            await asyncio.wait([*(s._done for s in at_work), changed], return_when=asyncio.FIRST_COMPLETED)

    async def idle(self) -> None:
        """Wait until nothing is being said, done or decided, and nobody is about to take over.

        Inside of a tool or hook: nothing but what waits for that.
        """
        scope = scope_in(self)
        for _ in range(SETTLING_ROUNDS):
            await self.turns.until(lambda: self.closing or self.is_idle(scope))
            await asyncio.sleep(0)

    def is_idle(self, scope: Scope | None) -> bool:
        """Whether nothing is being said, done or decided beside what waits for that tool or hook to end."""
        speech, move = (scope.speech, scope.move) if scope is not None else (None, None)
        return (
            all(other is speech for other in self.replies.at_work())
            and all(other is move for other in self.agents.moves.under_way)
            and (not self.turns.busy or (scope is not None and scope.decides_turn))
        )

    def restart_part(self, name: str, delay: float) -> None:
        """Begin a recogniser or detector that failed again, in `delay` seconds."""
        if self.closing:
            return

        async def restart() -> None:
            await self.clock.sleep(delay)
            if name == "stt":
                self.restart_recognizer()
            elif name == "vad":
                self.recognition.restart_vad()

        self.spawn(restart(), f"restart {name}")

    def input_ended(self) -> None:
        """The audio input has no more frames."""

    def close_soon(self, reason: str, error: Any = None) -> None:
        """End the session from inside."""
        self.session._close_soon(reason, error)

    def spawn(self, coro: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """A task that is ended with the session at the latest."""
        task = asyncio.create_task(coro, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _end_tasks(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        if self._tasks:
            # User code may hold on to its cancellation; closing doesn't wait for ever.
            _, stuck = await asyncio.wait(tuple(self._tasks), timeout=STUCK_TIMEOUT)
            for task in stuck:
                error = TimeoutError(f"{task.get_name()} did not end {STUCK_TIMEOUT} s after it was cancelled")
                self.report.failed(task.get_name(), error)

    # --- words as text -----------------------------------------------------------------------------------------------

    def _wants_words(self) -> bool:
        return self.report.stream.wants(ev.AgentHeard) or self.session.output.active_transcription is not None

    def show(self, words: str | None) -> None:
        """Send words to the transcription output; None ends a segment."""
        if self.session.output.active_transcription is None:
            return
        if self._words is None:
            self._words = aio.Chan()
            self._writer = asyncio.create_task(self._write(self._words), name="transcription")
        self._words.send_nowait(words)

    async def _write(self, words: aio.Chan[str | None]) -> None:
        async for text in words:
            output = self.session.output.active_transcription
            if output is not None and text is None:
                output.flush()
            elif output is not None and text is not None:
                await output.capture_text(text)

    # --- the end -----------------------------------------------------------------------------------------------------

    async def aclose(self) -> None:
        """Stop everything and wait for it."""
        self.closing = True
        self.agents.begin_closing()
        self.video.set_source(None)
        await self.recognition.aclose()
        self._interrupt_replies()
        await self.turns.aclose()
        await self._replies_ended()
        await self.calls.aclose()
        self.feed(inputs.Closed())
        self.scheduler.close()
        await self.agents.aclose()
        self._interrupt_replies()  # what hooks began to say while the agents left
        await self._replies_ended()
        await self.realtime.aclose()
        await self._end_tasks()
        self.playout.set_output(None)
        self.providers.close()
        await self._adapters.aclose()
        if self._words is not None and self._writer is not None:
            self._words.close()
            await self._writer

    def _interrupt_replies(self) -> None:
        for speech in tuple(self.replies.active):
            speech._interrupt("close", force=True)

    async def _replies_ended(self) -> None:
        for task in [speech._task for speech in self.replies.active if speech._task is not None]:
            if task is not asyncio.current_task():
                await asyncio.wait([task])
