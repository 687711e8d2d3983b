"""What the console's settings make of a session's turn handling."""

from __future__ import annotations

from typing import Any

import pytest

from agent_runtime.host.providers import Providers
from agent_runtime.host.turn_taking import turn_handling
from agent_runtime.settings import Settings


class Detector:
    """Stands for any."""


def handling(detector: bool = True, **settings: Any) -> Any:
    providers = Providers()
    providers.turn_detector = Detector() if detector else None  # type: ignore[assignment]  # it isn't asked
    return turn_handling(Settings(**settings), providers)


@pytest.mark.parametrize(
    ("settings", "detector", "waits"),
    [
        ({}, True, {"min_delay": 0.4}),
        ({}, False, {}),
        ({"endpointing": {"min_delay": 0.7}}, True, {"min_delay": 0.7}),
        ({"endpointing": {"mode": "dynamic"}}, True, {"min_delay": 0.4, "mode": "dynamic"}),
        ({"turn_detection": "audio"}, True, {}),
        ({"turn_detection": "vad"}, False, {}),
    ],
)
def test_the_wait_is_shorter_where_the_words_are_read(settings: Any, detector: bool, waits: Any) -> None:
    assert handling(detector, **settings)["endpointing"] == waits


def test_what_ends_a_turn() -> None:
    assert isinstance(handling()["turn_detection"], Detector)
    assert handling(detector=False, turn_detection="stt")["turn_detection"] == "stt"
    assert "turn_detection" not in handling(detector=False)  # its package is missing: the session does without


def test_what_is_not_set_is_left_to_the_session() -> None:
    assert handling()["interruption"] == {"enabled": True}
    assert handling(interruption={"mode": "adaptive", "min_words": 2})["interruption"] == {
        "enabled": True,
        "mode": "adaptive",
        "min_words": 2,
    }
