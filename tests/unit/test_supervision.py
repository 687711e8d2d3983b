"""What is supervised is started again at once, later, or no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.errors import TooManyRestartsError
from agent_runtime.supervision import RestartPolicy, Restarts


class Now:
    """A clock that only tells the time."""

    def __init__(self) -> None:
        self.time = 100.0

    def now(self) -> float:
        return self.time


def restarts(**policy: float) -> tuple[Restarts, Now]:
    clock = Now()
    return Restarts("the recogniser", RestartPolicy(**policy), clock), clock  # type: ignore[arg-type]  # all it uses


def test_the_first_failure_is_made_good_at_once_and_the_next_ones_later_and_later():
    some, _ = restarts(most=10, first_delay=0.5, factor=2.0, longest_delay=3.0)
    assert [some.failed("") for _ in range(6)] == [0.0, 0.5, 1.0, 2.0, 3.0, 3.0]


def test_what_worked_in_between_starts_anew():
    some, _ = restarts(most=10, first_delay=0.5)
    some.failed("")
    assert some.failed("") == 0.5
    some.worked()
    assert some.failed("") == 0.0


def test_too_many_within_the_time_are_the_supervisors_own_failure():
    some, clock = restarts(most=2, within=10.0)
    some.failed("no key")
    some.failed("no key")
    clock.time += 9.9
    with pytest.raises(
        TooManyRestartsError, match="the recogniser failed 3 times within 10 s; the last time: wrong key"
    ):
        some.failed("wrong key")


def test_as_many_over_a_longer_time_are_borne():
    some, clock = restarts(most=2, within=10.0)
    for _ in range(20):
        some.failed("")
        clock.time += 5.1


@given(st.lists(st.floats(0.0, 20.0), max_size=40), st.integers(1, 6), st.floats(1.0, 30.0))
def test_it_gives_up_just_when_more_than_that_fall_into_the_time(gaps: list[float], most: int, within: float):
    some, clock = restarts(most=most, within=within)
    times: list[float] = []
    for gap in gaps:
        clock.time += gap
        times.append(clock.time)
        too_many = sum(time >= clock.time - within for time in times) > most
        if too_many:
            with pytest.raises(TooManyRestartsError):
                some.failed("")
        else:
            assert 0.0 <= some.failed("") <= 30.0
