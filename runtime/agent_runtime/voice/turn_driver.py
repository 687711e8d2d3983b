"""Drives the turn machine: sets its timers, carries out its actions, and answers the turns that it commits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.clock import TimerHandle
from agent_runtime.llm import ChatContext, ChatMessage, MetricsReport
from agent_runtime.metrics import EOUMetrics, Metadata
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice import turn_reports
from agent_runtime.voice.agent import Agent
from agent_runtime.voice.blame import finished, limited
from agent_runtime.voice.circuits import name_of
from agent_runtime.voice.cut_in import CutIn
from agent_runtime.voice.end_of_turn import EndOfTurn
from agent_runtime.voice.interruption import stop_speech
from agent_runtime.voice.replies import ReplyRequest
from agent_runtime.voice.scope import Scope, entered
from agent_runtime.voice.speech_handle import InputDetails, SpeechHandle
from agent_runtime.voice.turn_clock import TurnClock
from agent_runtime.voice.turn_machine import TurnMachine, UserTurn
from agent_runtime.voice.words import same_words
from agent_tools import StopResponse

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine


MIN_PREDICTION_TIMEOUT = 0.5
"""Seconds that the turn detector has at least, however late its question comes."""


@dataclass(slots=True)
class _Early:
    """A reply that was begun before the turn was over."""

    speech: SpeechHandle
    request: ReplyRequest
    context: ChatContext
    tools: list[Any]
    text: str


class TurnDriver:
    """See the module. One per session."""

    def __init__(self, engine: Engine, machine: TurnMachine) -> None:
        self._engine = engine
        self.machine = machine
        self._timers: dict[str, TimerHandle] = {}
        self._early: _Early | None = None
        self._end_of_turn = EndOfTurn(engine)
        self._completing: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()
        """`_completing`, and those before it that it waits for."""
        self._predicting: asyncio.Task[None] | None = None
        self._gate: asyncio.Event = asyncio.Event()
        self._gate.set()
        self._turn_id: str | None = None
        """The user's turn that is open."""
        self._watchers: set[asyncio.Future[None]] = set()
        """Resolved at the next change."""
        self._cut_in = CutIn(engine)
        self._do: dict[type, Callable[[Any], None]] = {
            inputs.SetTimer: self._set_timer,
            inputs.CancelTimer: self._cancel_timer,
            inputs.SetUserState: self._user_state,
            inputs.SetAgentState: self._agent_state,
            inputs.OpenTurn: self._open_turn,
            inputs.Predict: self._predict,
            inputs.WaitForEnd: self._wait_for_end,
            inputs.StopWaiting: lambda _: engine.report.emit(ev.EndpointingCancelled()),
            inputs.FlushRecognizer: lambda flush: engine.recognition.flush_recognizer(flush.silence),
            inputs.ResetRecognizer: lambda _: engine.restart_recognizer(),
            inputs.TellLesson: lambda action: turn_reports.lesson(engine, action),
            inputs.TellOverlap: lambda action: turn_reports.overlap(engine, action),
            inputs.TellUntranscribed: lambda action: turn_reports.untranscribed(engine, action),
            inputs.TellExceeded: self._cut_in.exceeded,
            inputs.CommitTurn: self._commit,
            inputs.DiscardTurn: self._discard,
            inputs.StartPreemptive: self._start_early,
            inputs.CancelPreemptive: lambda _: self.cancel_early(),
            inputs.OpenGate: lambda _: self._gate.set(),
            inputs.CloseGate: lambda _: self._gate.clear(),
            inputs.PauseOutput: self._pause,
            inputs.ResumeOutput: self._resume,
            inputs.StopOutput: self._stop,
            inputs.InterruptSpeech: self._interrupt,
        }

    def feed(self, event: inputs.Input) -> None:
        """Tell the machine, and do what it says."""
        for action in self.machine.feed(event, self._engine.clock.now()):
            self._do[type(action)](action)
        self.tell()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until it holds; it is asked whenever something changes."""
        while not holds():
            watcher = asyncio.get_running_loop().create_future()
            self._watchers.add(watcher)
            try:
                await watcher
            finally:
                self._watchers.discard(watcher)

    def tell(self) -> None:
        """Something changed: ask again what is waited for with `until`."""
        for watcher in self._watchers:
            if not watcher.done():
                watcher.set_result(None)

    @property
    def user_is_done(self) -> bool:
        """Whether the user is silent and nothing is being decided on or about to be answered."""
        return self.machine.user_state != "speaking" and not self.busy

    async def keep_last_words(self, timeout: float) -> None:
        """The session ends: stop the agent, and keep what the user said last, waiting so long for its transcript."""
        machine, recognition = self.machine, self._engine.recognition
        silent_for = self._engine.clock.now() - (machine.turn.ended_at or 0.0)
        # A noise has no transcript, and the recogniser has had its time to say so.
        given_up = machine.user_state != "speaking" and not machine.turn.interim and silent_for >= timeout
        owed = machine.transcript_is_owed and recognition.owes_transcript() and not given_up
        if not machine.turn.open or (not owed and not machine.turn.transcript):
            return
        stop_speech(self._engine, "close", force=True)
        recognition.set_source(None)
        self.feed(
            inputs.CommitRequested(
                "close", timeout, skip_reply=True, expect_final=owed, silence=min(timeout, recognition.FLUSH_SILENCE)
            )
        )
        await self.until(lambda: machine.user is not UserTurn.COMMITTING)
        await self.settled()

    @property
    def busy(self) -> bool:
        """Whether a turn is being decided on or about to be answered."""
        return self.machine.deciding or (self._completing is not None and not self._completing.done())

    async def settled(self) -> None:
        """Wait until the turn that was committed last has its reply in the queue."""
        if self._completing is not None and not self._completing.done():
            await asyncio.wait([self._completing])

    async def may_be_heard(self, speech: SpeechHandle) -> bool:
        """Wait until the user is silent, if the speech has to. False if it was interrupted."""
        while self.keeps_silent(speech) and not speech.interrupted:
            opened = asyncio.ensure_future(self._gate.wait())
            try:
                await asyncio.wait({opened, speech._interrupted}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                opened.cancel()
        return not speech.interrupted

    def keeps_silent(self, speech: SpeechHandle) -> bool:
        """Whether the speech has to wait for the user's silence."""
        return speech.allow_interruptions and not self._gate.is_set()

    def ensure_turn(self) -> str:
        """The id of the user's open turn; a transcript that comes without a start opens one."""
        if self._turn_id is None:
            self._turn_id = self._engine.report.turn_started("speech")
        return self._turn_id

    def turn_is_over(self) -> None:
        """The last speech ended: what happens next belongs to no turn, unless the user has begun one."""
        if self.machine.user is not UserTurn.CLOSED:
            self._engine.report.turn_id = self._turn_id

    async def aclose(self) -> None:
        """Call off what is going on."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()
        self.cancel_early()
        self._end_of_turn.forget()
        tasks = [*self._answering, *([self._predicting] if self._predicting is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # --- actions: small ones -----------------------------------------------------------------------------------------

    def _set_timer(self, action: inputs.SetTimer) -> None:
        self._cancel(action.name)

        def fire() -> None:
            self._timers.pop(action.name, None)
            self.feed(inputs.TimerFired(action.name))

        self._timers[action.name] = self._engine.clock.call_at(action.at, fire)

    def _cancel_timer(self, action: inputs.CancelTimer) -> None:
        self._cancel(action.name)

    def _cancel(self, name: str) -> None:
        handle = self._timers.pop(name, None)
        if handle is not None:
            handle.cancel()

    def _user_state(self, action: inputs.SetUserState) -> None:
        self._engine.report.user_state(action.old, action.new, action.at, action.cause)

    def _agent_state(self, action: inputs.SetAgentState) -> None:
        holder = self._engine.scheduler.current
        self._engine.report.agent_state(action.old, action.new, action.cause, holder.turn_id if holder else None)

    def _open_turn(self, action: inputs.OpenTurn) -> None:
        if self._turn_id is None:
            self._turn_id = self._engine.report.turn_started(action.cause)

    def _wait_for_end(self, action: inputs.WaitForEnd) -> None:
        report = self._engine.report
        report.emit(
            ev.EndpointingStarted(action.delay, report.relative(action.deadline), action.probability, action.threshold),
            action.cause,
        )

    def _pause(self, action: inputs.PauseOutput) -> None:
        playout = self._engine.playout
        playout.pause()
        self._engine.report.emit(
            ev.PlayoutPaused(action.speech_id, playout.position), "vad", turn_id=self._speech_turn()
        )

    def _resume(self, action: inputs.ResumeOutput) -> None:
        self._engine.playout.resume()
        if action.false_interruption:
            report = self._engine.report
            report.emit(ev.PlayoutResumed(action.speech_id), turn_id=self._speech_turn())
            report.false_interruption(resumed=True)

    def _stop(self, action: inputs.StopOutput) -> None:
        self._engine.playout.stop()

    def _interrupt(self, action: inputs.InterruptSpeech) -> None:
        speech = self._engine.scheduler.current
        if speech is not None and speech.id == action.speech_id and speech.allow_interruptions:
            speech._interrupt(action.cause)

    def _speech_turn(self) -> str | None:
        speech = self._engine.scheduler.current
        return speech.turn_id if speech is not None else None

    def _predict(self, action: inputs.Predict) -> None:
        if self._predicting is not None:
            self._predicting.cancel()
        self._predicting = asyncio.create_task(self._ask_detector(action.text), name="turn detector")

    async def _ask_detector(self, text: str) -> None:
        engine = self._engine
        probability = threshold = None
        turn, settings = self.machine.turn, self.machine.settings
        latest = (turn.ended_at if turn.ended_at is not None else engine.clock.now()) + settings.max_delay
        try:
            # An opinion that takes longer than the longest wait is of no use.
            async with asyncio.timeout(max(MIN_PREDICTION_TIMEOUT, latest - engine.clock.now())):
                probability, threshold = await self._end_of_turn.opinion(text)
        except Exception as error:
            # Without its opinion the shortest wait decides, as if there were no detector.
            probability = threshold = None
            engine.report.failed("turn_detector", error)
        self.feed(inputs.Predicted(probability, threshold))

    # --- replies that are begun early --------------------------------------------------------------------------------

    def _start_early(self, action: inputs.StartPreemptive) -> None:
        engine = self._engine
        self.cancel_early()
        self._end_of_turn.foresee(action.text)
        agent = engine.require_agent()
        if engine.agents.switching or engine.llm is None:
            return
        message = ChatMessage(
            role="user",
            content=[action.text],
            transcript_confidence=action.confidence,
            created_at=engine.report.wall(),
        )
        context = agent._chat_ctx.copy()
        request = ReplyRequest(agent, context, message, cause="preemptive", early=True)
        speech = engine.replies.generate(
            request,
            allow_interruptions=engine.allows_interruptions(),
            input_details=InputDetails("audio"),
            turn_id=self._turn_id,
            user_initiated=False,
            schedule=False,
        )
        self._early = _Early(speech, request, context.copy(), list(agent._tools), action.text)

    def cancel_early(self) -> None:
        """Drop the reply that was begun early, if there is one."""
        early, self._early = self._early, None
        if early is not None:
            early.speech._interrupt("api", force=True)

    def _take_early(self, agent: Agent, message: ChatMessage, context: ChatContext) -> _Early | None:
        early, self._early = self._early, None
        if early is None:
            return None
        fits = (
            same_words(early.text, message.text_content or "")
            and early.request.agent is agent
            and early.tools == agent._tools
            and early.context.is_equivalent(context)
            and not early.speech.done()
        )
        if fits:
            return early
        early.speech._interrupt("api", force=True)
        return None

    # --- answering a turn --------------------------------------------------------------------------------------------

    def _discard(self, action: inputs.DiscardTurn) -> None:
        report = self._engine.report
        report.emit(ev.TurnDiscarded(action.text), action.cause, turn_id=self._turn_id)
        self._engine.recognition.turn_ended("turn discarded")
        if action.cause != "api":
            self._engine.realtime.clear_audio()
        self._turn_id = None
        speech = self._engine.scheduler.current
        report.turn_id = speech.turn_id if speech is not None else None

    def _commit(self, action: inputs.CommitTurn) -> None:
        report = self._engine.report
        turn_id = self.ensure_turn()
        self._turn_id = None
        ended = report.relative(action.ended_at) if action.ended_at is not None else None
        report.emit(ev.TurnCommitted(action.text, ended), action.cause, turn_id=turn_id)
        self._engine.recognition.turn_ended("turn committed")
        if action.cause == "realtime_llm":
            self._engine.realtime.turn_taken(turn_id, self._start_clock(action))
            return
        self._completing = asyncio.create_task(
            self._complete(self._completing, action, turn_id), name="user turn completed"
        )
        self._answering.add(self._completing)
        self._completing.add_done_callback(self._completed)

    def _completed(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        self.tell()

    async def _complete(self, previous: asyncio.Task[None] | None, turn: inputs.CommitTurn, turn_id: str) -> None:
        engine, report = self._engine, self._engine.report
        metrics = self._user_metrics(turn)
        if previous is not None and not previous.done():
            # The user's hook is never cancelled: it would be very hard to write one that bears it.
            await asyncio.wait([previous])
        await engine.agents.switched()
        agent = engine.require_agent()
        message = ChatMessage(
            role="user",
            content=[turn.text],
            transcript_confidence=turn.confidence,
            metrics=metrics,
            created_at=report.wall(),
        )
        if turn.skip_reply or not engine.answers_turns:
            self.cancel_early()
            if turn.text:
                engine.agents.add_item(agent, message, turn_id)
            return
        if not await self._clear_floor():
            self.cancel_early()
            engine.realtime.clear_audio()
            report.emit(ev.TurnDiscarded(turn.text), "agent_uninterruptible", turn_id=turn_id)
            return
        engine.realtime.commit_audio(turn_id, transcribed=bool(turn.text))
        clock = self._start_clock(turn)
        context = agent._chat_ctx.copy()
        began = engine.clock.now()
        if not await self._run_hook(agent, context, message, turn, turn_id):
            return
        hook_delay = engine.clock.now() - began
        message.metrics["on_user_turn_completed_delay"] = hook_delay
        clock.mark("hook", report.relative(engine.clock.now()), "on_user_turn_completed")
        if self._completing is not asyncio.current_task() and engine.allows_interruptions():
            # A newer turn is there already; this one is kept in the conversation but not answered.
            engine.agents.add_item(agent, message, turn_id)
            return
        speech, request = self._reply(agent, message, context, turn_id)
        speech._turn_clock = clock
        report.metrics(self._eou_metrics(message, hook_delay, speech))
        engine.replies.schedule(speech, request)

    async def _clear_floor(self) -> bool:
        """Stop the agent's speeches. False if one of them may not be interrupted."""
        engine = self._engine
        current = engine.scheduler.current
        if current is not None and not current.interrupted and not current.allow_interruptions:
            return False
        stopping = [s for s in engine.replies.active if s.scheduled and s.allow_interruptions]
        for speech in stopping:
            speech._interrupt("voice")
        for speech in stopping:
            await speech._done
        return True

    async def _run_hook(
        self, agent: Agent, context: ChatContext, message: ChatMessage, turn: inputs.CommitTurn, turn_id: str
    ) -> bool:
        """`on_user_turn_completed`. False if there is to be no reply."""
        if type(agent).on_user_turn_completed is Agent.on_user_turn_completed:
            return True
        engine, report = self._engine, self._engine.report
        began = engine.clock.now()
        try:
            scope = Scope(engine, agent, f"hook on_user_turn_completed of {agent.id}", decides_turn=True)
            with entered(scope):
                async with limited(scope):
                    hook = agent.on_user_turn_completed(context, new_message=message)
                    await finished(agent, "on_user_turn_completed", hook)
        except StopResponse:
            self.cancel_early()
            report.emit(ev.TurnDiscarded(turn.text), "stop_response", turn_id=turn_id)
            return False
        except Exception as error:
            self.cancel_early()
            report.failed(f"hook on_user_turn_completed of {agent.id}", error, turn_id=turn_id)
            return False
        finally:
            duration = engine.clock.now() - began
            report.emit(ev.HookFinished("on_user_turn_completed", duration), turn_id=turn_id)
        return True

    def _reply(
        self, agent: Agent, message: ChatMessage, context: ChatContext, turn_id: str
    ) -> tuple[SpeechHandle, ReplyRequest]:
        early = self._take_early(agent, message, context)
        if early is not None:
            # The early reply was made from its own copy of the message: this one is the final word.
            kept = early.request.user_message
            assert kept is not None
            kept.content = list(message.content)
            kept.metrics, kept.transcript_confidence = message.metrics, message.transcript_confidence
            return early.speech, early.request
        engine = self._engine
        heard = engine.realtime.active
        said = message if message.text_content or not heard else None
        request = ReplyRequest(agent, context, said, cause="turn", heard=heard)
        speech = engine.replies.generate(
            request,
            allow_interruptions=engine.allows_interruptions(),
            input_details=InputDetails("audio"),
            turn_id=turn_id,
            user_initiated=False,
            schedule=False,
        )
        return speech, request

    # --- measurements ------------------------------------------------------------------------------------------------

    def _start_clock(self, turn: inputs.CommitTurn) -> TurnClock:
        engine, relative = self._engine, self._engine.report.relative
        now = engine.clock.now()
        clock = TurnClock(relative(turn.ended_at if turn.ended_at is not None else now))
        late = turn.final_at is not None and turn.deadline is not None and turn.final_at > turn.deadline
        if late and turn.final_at is not None:
            stt = engine.stt
            clock.mark("transcription", relative(turn.final_at), name_of(stt) if stt else None)
        clock.mark("endpointing", relative(now), turn.cause)
        return clock

    def _user_metrics(self, turn: inputs.CommitTurn) -> MetricsReport:
        report, metrics = self._engine.report, MetricsReport()
        if (stt := self._engine.stt) is not None:
            metrics["stt_metadata"] = stt.metrics_metadata
        if turn.started_at is not None:
            metrics["started_speaking_at"] = report.wall(turn.started_at)
        if turn.ended_at is not None:
            metrics["stopped_speaking_at"] = report.wall(turn.ended_at)
            metrics["end_of_turn_delay"] = self._engine.clock.now() - turn.ended_at
            if turn.final_at is not None:
                metrics["transcription_delay"] = max(0.0, turn.final_at - turn.ended_at)
        return metrics

    def _eou_metrics(self, message: ChatMessage, hook_delay: float, speech: SpeechHandle) -> EOUMetrics:
        detector = self._engine.turn_detector
        return EOUMetrics(
            timestamp=self._engine.report.wall(),
            end_of_utterance_delay=message.metrics.get("end_of_turn_delay", 0.0),
            transcription_delay=message.metrics.get("transcription_delay", 0.0),
            on_user_turn_completed_delay=hook_delay,
            speech_id=speech.id,
            metadata=Metadata(
                model_name=detector.model if detector else "unknown",
                model_provider=detector.provider if detector else self.machine.settings.detection,
            ),
        )
