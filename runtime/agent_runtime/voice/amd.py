"""Answering machine detection: whether a person or a machine has answered a call that the agent makes."""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal

from livekit import rtc

from agent_runtime import events as ev
from agent_runtime.llm import LLM
from agent_runtime.room.waiting import wait_for_participant_attribute, wait_for_track_publication
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils import EventEmitter, aio
from agent_runtime.voice.amd_judge import AMDCategory, AMDPredictionEvent, CallJudge, DetectionOptions
from agent_runtime.worker.job import get_job_context

if TYPE_CHECKING:
    from agent_runtime.stt import STT
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

ANSWERED: Final = ("sip.callStatus", "active")
"""The attribute of a phone's participant, and its value once the call was answered."""
TRACK_TIMEOUT: Final = 5.0
"""Seconds that the call's sound may take to come."""


class AMD(EventEmitter[Literal["amd_prediction"]]):
    """Finds out who answered, while the agent stays silent.

    Begin before the call is made, so that nothing is missed:

        async with AMD(session) as detector:
            await ctx.add_sip_participant(...)
            result = await detector.execute()
            if result.is_machine: ...

    Emits `amd_prediction` (`AMDPredictionEvent`). Turns are found, and words recognised, by the session.

    Args:
        session: has the call.
        llm: reads the greeting; unset or None, the session's.
        interrupt_on_machine: the session doesn't answer a machine: what the agent says to it is your code's to begin.
        ivr_detection: have the agent find its way through a menu; see `AgentSession(ivr_detection=…)`.
        participant_identity: whom to listen to; unset, whoever is heard first.
        stt: accepted; the session's recogniser is listened to.
        suppress_compatibility_warning: accepted; no model is warned of.
        detection_options: when a verdict is given.
        wait_until_finished: hear a machine out, even past the time limit.
    """

    def __init__(
        self,
        session: AgentSession[Any],
        *,
        llm: NotGivenOr[LLM[Any] | str | None] = NOT_GIVEN,
        stt: NotGivenOr[STT[Any] | str | None] = NOT_GIVEN,
        interrupt_on_machine: bool = True,
        ivr_detection: bool = True,
        participant_identity: NotGivenOr[str] = NOT_GIVEN,
        suppress_compatibility_warning: bool = False,
        detection_options: NotGivenOr[DetectionOptions] = NOT_GIVEN,
        wait_until_finished: bool = True,
    ) -> None:
        super().__init__()
        self._session = session
        self._llm = llm
        self._interrupts = interrupt_on_machine
        self._ivr_detection = ivr_detection
        self._identity = participant_identity if is_given(participant_identity) else None
        self._options: DetectionOptions = detection_options if is_given(detection_options) else {}
        self._waits = wait_until_finished
        self._judge: CallJudge | None = None
        self._result: AMDPredictionEvent | None = None
        self._over = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe: Any = None

    @property
    def enabled(self) -> bool:
        """Whether it has begun and isn't closed."""
        return self._judge is not None

    @property
    def pending(self) -> bool:
        """Whether a verdict is to come."""
        return self._judge is not None and self._result is None

    @property
    def started(self) -> bool:
        """Whether it listens."""
        return self._judge is not None and self._judge.listening

    async def execute(self) -> AMDPredictionEvent:
        """Wait for the verdict and act on it. Raises RuntimeError if it is closed before there is one."""
        await self._over.wait()
        result = self._result
        if result is None:
            raise RuntimeError("the detection was closed before it was known who answered")
        session = self._session
        if result.is_machine and self._interrupts:
            await session.interrupt(force=True)
        if result.category is AMDCategory.MACHINE_IVR and self._ivr_detection:
            session._navigate(result.transcript)
        self._let_speak()
        return result

    async def __aenter__(self) -> AMD:
        session = self._session
        if session.amd is not None:
            raise RuntimeError("the session detects already who answered: one at a time")
        session._stop_navigating()
        engine = session._engine
        clock = engine.clock
        self._judge = CallJudge(
            self._model(), self._judge_options(), wait_until_finished=self._waits, clock=clock, on_verdict=self._decided
        )
        session._amd = self
        self._unsubscribe = session.events.subscribe(
            self._happened, types=[ev.UserStateChanged, ev.UserTranscribed, ev.TurnCommitted]
        )
        engine.scheduler.hold()
        self._tasks.append(asyncio.get_running_loop().create_task(self._wait_for_call(), name="wait for the call"))
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop listening, and let the session answer turns again."""
        if self._judge is None:
            return
        judge, self._judge = self._judge, None
        self._unsubscribe()
        await aio.cancel_and_wait(*self._tasks)
        await judge.aclose()
        self._session._amd = None
        self._session._engine.answers_turns = True
        self._let_speak()
        self._over.set()

    def _model(self) -> LLM[Any]:
        model = self._llm if isinstance(self._llm, LLM) else self._session.llm
        if not isinstance(model, LLM):
            raise ValueError("who answered is read by a language model: give AMD(llm=…) one, or the session")
        return model

    def _judge_options(self) -> DetectionOptions:
        """A turn of the session is over after its own delay at the latest."""
        delay = self._session.options.endpointing["max_delay"]
        return {"max_endpointing_delay": delay, **self._options}

    async def _wait_for_call(self) -> None:
        """Listen as soon as the call is answered: ringing and announcements before don't count."""
        judge, room_io = self._judge, self._session._room_io
        assert judge is not None
        if room_io is None:
            judge.listen()
            return
        room = room_io.room
        try:
            async with asyncio.timeout(TRACK_TIMEOUT):
                publication = await wait_for_track_publication(
                    room, identity=self._identity, kind=rtc.TrackKind.KIND_AUDIO, wait_for_subscription=True
                )
            caller = next(p for p in room.remote_participants.values() if publication.sid in p.track_publications)
            if caller.kind == rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
                name, value = ANSWERED
                await wait_for_participant_attribute(room, identity=caller.identity, attribute=name, value=value)
        except (RuntimeError, TimeoutError, StopIteration) as exc:
            logger.info("nobody can be heard: %s", str(exc) or "no sound came")
            judge.settle(AMDCategory.UNCERTAIN, "participant_missing")
            return
        judge.listen()

    def _happened(self, event: ev.AnyEvent) -> None:
        judge, data = self._judge, event.data
        if judge is None:
            return
        engine = self._session._engine
        if isinstance(data, ev.UserTranscribed) and data.is_final:
            judge.heard(data.text)
        elif isinstance(data, ev.TurnCommitted):
            judge.turn_ended()
        elif isinstance(data, ev.UserStateChanged):
            at = data.at + engine.clock.now() - self._session.events.now()
            if data.new == "speaking":
                judge.speech_began(at)
            elif data.old == "speaking":
                judge.speech_ended(at)

    def _decided(self, result: AMDPredictionEvent) -> None:
        self._result = result
        logger.info("%s answered (%s)", result.category.value, result.reason)
        self._session._engine.answers_turns = not (result.is_machine and self._interrupts)
        if (job := get_job_context(required=False)) is not None:
            job.tagger.add(f"lk.amd:{result.category.value}", metadata=result.model_dump(mode="json", exclude={"type"}))
        self.emit("amd_prediction", result)
        self._over.set()

    def _let_speak(self) -> None:
        self._session._engine.scheduler.go_on()
