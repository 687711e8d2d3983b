"""What the turn machine has to know of a session's options, providers and devices."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from agent_runtime.voice.backchannel import InterruptionDetector, WordsAndLength
from agent_runtime.voice.turn import CompleteInterruption, CompleteTurnHandling
from agent_runtime.voice.turn_memory import TurnSettings

if TYPE_CHECKING:
    from agent_runtime.io import AudioOutput
    from agent_runtime.voice.engine import Engine

logger = logging.getLogger(__name__)


def apply_turn_settings(engine: Engine, handling: CompleteTurnHandling, detection: Any) -> None:
    """Write them into the machine's settings. `detection` is the turn detection in use."""
    settings, output = engine.machine.settings, engine.session.output.active_audio
    settings.has_vad, settings.has_stt = engine.vad is not None, engine.stt is not None
    if engine.push_to_talk:
        settings.detection = "manual"
    elif isinstance(detection, str):
        settings.detection = detection  # type: ignore[assignment]  # one of the four
    else:
        settings.detection = "vad"
    settings.has_detector = engine.turn_detector is not None and settings.detection == "vad"
    settings.model_hears = engine.realtime.active
    settings.flush_at_silence = engine.stt is not None and engine.stt.capabilities.manual_flush
    settings.away_timeout = engine.options.user_away_timeout
    settings.aec_warmup = (engine.options.aec_warmup_duration or 0.0) if output is not None else 0.0
    settings.transcription_timeout = engine.options.transcription_timeout
    _endpointing(settings, handling)
    _interruption(settings, handling["interruption"], output)


def _endpointing(settings: TurnSettings, handling: CompleteTurnHandling) -> None:
    endpointing, preemptive = handling["endpointing"], handling["preemptive_generation"]
    shortest, longest = endpointing["min_delay"], endpointing["max_delay"]
    dynamic = endpointing["mode"] == "dynamic"
    is_new = (settings.min_delay, settings.max_delay) != (shortest, longest)
    if shortest > longest and is_new and (settings.has_detector or dynamic):
        logger.warning("endpointing: min_delay (%g s) is above max_delay (%g s), the longest wait", shortest, longest)
    settings.min_delay, settings.max_delay = shortest, longest
    settings.dynamic, settings.alpha = dynamic, endpointing["alpha"]
    # A realtime model can't be asked for an answer that may not be wanted.
    settings.preemptive = preemptive["enabled"] and not settings.model_hears
    settings.preemptive_max_speech = preemptive["max_speech_duration"]
    settings.preemptive_max_retries = preemptive["max_retries"]
    limit = handling["user_turn_limit"]
    settings.max_words, settings.max_seconds = limit["max_words"], limit["max_duration"]


def _interruption(settings: TurnSettings, interruption: CompleteInterruption, output: AudioOutput | None) -> None:
    settings.min_duration, settings.min_words = interruption["min_duration"], interruption["min_words"]
    settings.false_interruption_timeout = interruption["false_interruption_timeout"]
    settings.can_pause = bool(
        interruption["resume_false_interruption"]
        and interruption["false_interruption_timeout"] is not None
        and output is not None
        and output.can_pause
    )
    mode = interruption.get("mode", "vad")
    if mode == "vad":
        settings.judge = None
    elif isinstance(mode, InterruptionDetector):
        settings.judge = mode
    elif not isinstance(settings.judge, WordsAndLength):
        settings.judge = WordsAndLength()
    boundary = interruption["backchannel_boundary"]
    if boundary is None:
        settings.boundary = (0.0, 0.0)
    else:
        start, end = (boundary, boundary) if isinstance(boundary, int | float) else boundary
        settings.boundary = (start, end)
