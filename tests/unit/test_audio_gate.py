"""When a duplex model is taken to speak."""

from __future__ import annotations

import pytest

from agent_runtime.llm import AdaptiveNoiseGate, AudioGate, FixedGate
from tests.support.duplex import sound


def _opened(gate: AudioGate, *levels: int) -> list[bool]:
    """Whether it is open after a tenth of a second of each level."""
    return [[gate.update(sound(level)) for _ in range(5)][-1] for level in levels]


def test_a_fixed_gate_opens_on_what_is_three_times_louder():
    gate = FixedGate(0.01)  # 328 of 32768
    assert _opened(gate, 300, 900, 1000, 700, 300) == [False, False, True, True, True]
    assert _opened(gate, 300, 300, 300, 300) == [True, True, True, False]


def test_a_pause_of_less_than_half_a_second_is_part_of_the_speech():
    gate = FixedGate(0.01)
    assert all(_opened(gate, 1000, *[0] * 4, 1000, *[0] * 4))


def test_a_gate_that_is_closed_by_hand_opens_again_on_sound():
    gate = FixedGate(0.01)
    assert _opened(gate, 1000) == [True]
    gate.deactivate()
    assert _opened(gate, 700, 1000) == [False, True]


def test_an_adaptive_gate_learns_the_models_silence():
    gate = AdaptiveNoiseGate()
    hum = [200] * 10
    assert not any(_opened(gate, *hum))
    assert _opened(gate, 500, 700) == [False, True]
    # The speech itself teaches it nothing, and the hum that follows is silence again.
    assert _opened(gate, *[8000] * 30, *hum)[-1] is False
    assert _opened(gate, 500, 700) == [False, True]


def test_an_adaptive_gate_hears_a_model_that_speaks_at_once():
    gate = AdaptiveNoiseGate()
    gate.update(sound(0))
    assert gate.update(sound(8000))


@pytest.mark.parametrize("window", [2.0, 0.1])
def test_an_adaptive_gate_forgets_a_silence_that_was_long_ago(window: float):
    gate = AdaptiveNoiseGate(window=window)
    _opened(gate, *[100] * 10)
    assert _opened(gate, *[250] * 30)[-1] is False
    assert _opened(gate, 400, 800) == [False, True]


def test_digital_silence_is_no_floor_to_divide_by():
    gate = AdaptiveNoiseGate()
    assert _opened(gate, *[0] * 10, 5, 50) == [False] * 11 + [True]
