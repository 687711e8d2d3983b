"""The bundled parts that a session uses where none is given, if they are installed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from agent_runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    from agent_runtime.vad import VAD
    from agent_runtime.voice.turn import TurnDetector

logger = logging.getLogger(__name__)


def default_vad() -> VAD | None:
    """The bundled voice activity detector; None, with a warning that names the command, where it isn't installed."""
    try:
        from agent_runtime.providers.embedded.vad import SileroVAD

        return SileroVAD()
    except (ImportError, MissingDependencyError) as error:
        logger.warning("no voice activity detector: %s", error)
        return None


def default_turn_detector() -> TurnDetector | None:
    """The bundled turn detector; None where it isn't installed: then silence alone decides."""
    try:
        from agent_runtime.providers.embedded.turn_detector import TextTurnDetector

        return TextTurnDetector()
    except (ImportError, MissingDependencyError) as error:
        logger.info("no turn detector: %s", error)
        return None
