"""`livekit.plugins.turn_detector`: the bundled detector under the plugin's class names."""

from __future__ import annotations

from agent_runtime.providers.embedded.turn_detector import THRESHOLD, TextTurnDetector


class EnglishModel(TextTurnDetector):
    """The bundled text turn detector.

    Args:
        unlikely_threshold: below it the user is taken to go on; unset, the bundled model's own.
    """

    def __init__(self, *, unlikely_threshold: float | None = None) -> None:
        super().__init__(threshold=THRESHOLD if unlikely_threshold is None else unlikely_threshold)


class MultilingualModel(EnglishModel):
    """The same: the bundled detector judges English, and leaves other languages to the pause."""
