"""Every branch of the turn machine is run by its scenarios, and every row of its tables is taken."""

from __future__ import annotations

from tests.support import turn_machine_coverage


def test_nothing_of_the_turn_machine_is_left_out() -> None:
    assert turn_machine_coverage.measure() == []
