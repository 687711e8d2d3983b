"""Who finds the end of the user's turn where a realtime model listens: the model itself, or we."""

from __future__ import annotations

import logging
from typing import Any

from agent_runtime.llm import RealtimeModel
from agent_runtime.voice.turn import StreamingTurnDetector

logger = logging.getLogger(__name__)


def model_detects(model: RealtimeModel, asked: Any) -> bool:
    """Whether the model finds the turns, where the session was `asked` for that turn detection.

    It does if it can, unless the session is to do so and the model lets it.
    """
    can = model.capabilities
    if not can.turn_detection or not can.can_disable_turn_detection:
        return can.turn_detection
    return not (asked in ("manual", "vad") or isinstance(asked, StreamingTurnDetector))


def own_detection(asked: Any, *, by_model: bool, has_vad: bool) -> Any:
    """The turn detection in use: what was asked for if that can be, with a warning if it can't."""
    if by_model:
        if isinstance(asked, str) and asked != "realtime_llm":
            logger.warning("turn_detection=%r has no effect: the realtime model finds the turns itself", asked)
        return "realtime_llm"
    if asked in ("realtime_llm", "stt"):
        logger.warning("turn_detection=%r can't be with this realtime model", asked)
        asked = None
    if asked == "vad" and not has_vad:
        logger.warning("turn_detection='vad' needs a vad")
    if not has_vad:
        return "manual"
    return asked if asked == "manual" or not isinstance(asked, str | None) else "vad"
