"""Tells what the turn machine found out about the user's speech: what it learned, judged, missed, and had enough of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.voice import turn_inputs as inputs

if TYPE_CHECKING:
    from agent_runtime.voice.backchannel import InterruptionDetector
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
    engine.providers.collect(_judged(engine, judge, action, delay))


def _judged(engine: Engine, judge: InterruptionDetector, action: inputs.TellOverlap, delay: float) -> Any:
    from agent_runtime.metrics import InterruptionMetrics, Metadata

    return InterruptionMetrics(
        timestamp=engine.report.wall(),
        # It answers on the session's loop, at once.
        total_duration=0.0,
        prediction_duration=0.0,
        detection_delay=delay,
        num_interruptions=int(action.is_interruption),
        num_backchannels=int(not action.is_interruption and not action.agent_ended),
        num_requests=1,
        metadata=Metadata(model_name=judge.model, model_provider=getattr(judge, "provider", None)),
    )


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
