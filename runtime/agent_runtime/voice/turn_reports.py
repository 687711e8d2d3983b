"""Tells what the turn machine found out about the user's speech: what it learned, judged, missed, and had enough of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.voice import turn_inputs as inputs

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine


def lesson(engine: Engine, action: inputs.TellLesson) -> None:
    """A pause changed the shortest wait."""
    engine.report.emit(ev.EndpointingLearned(action.delay, action.lesson.pause), action.lesson.source)


def overlap(engine: Engine, action: inputs.TellOverlap) -> None:
    """Speech over the agent's was judged."""
    report, now = engine.report, engine.clock.now()
    judge = engine.machine.settings.judge
    assert judge is not None
    delay = now - action.started_at
    words = "words" if engine.machine.turn.transcript else "length"
    report.emit(
        ev.OverlappingSpeech(
            action.is_interruption,
            action.probability,
            judge.threshold,
            report.relative(action.started_at),
            delay,
            action.agent_ended,
        ),
        "agent_ended" if action.agent_ended else words,
    )

    def payload() -> Any:
        from agent_runtime.voice.events import OverlappingSpeechEvent

        return OverlappingSpeechEvent(
            created_at=report.wall(),
            detected_at=report.wall(),
            is_interruption=action.is_interruption,
            agent_ended=action.agent_ended,
            detection_delay=delay,
            overlap_started_at=report.wall(action.started_at),
            probability=action.probability,
        )

    report.call("overlapping_speech", payload)


def untranscribed(engine: Engine, action: inputs.TellUntranscribed) -> None:
    """Speech brought no words in time."""
    report = engine.report
    report.emit(ev.TranscriptionTimedOut(action.speech_duration, report.relative(action.started_at)))

    def payload() -> Any:
        from agent_runtime.voice.events import UserTranscriptionTimeoutEvent

        return UserTranscriptionTimeoutEvent(
            speech_duration=action.speech_duration,
            vad_speech_started_at=report.wall(action.started_at),
            created_at=report.wall(),
        )

    report.call("user_transcription_timeout", payload)
