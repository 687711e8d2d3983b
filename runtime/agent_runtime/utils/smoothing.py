"""Averages of values that come one by one."""

from __future__ import annotations

from collections import deque

from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given


class ExpFilter:
    """An exponential filter: the past weighs `alpha` for each unit of time that a sample covers.

    Args:
        alpha: above 0 and at most 1; 1 ignores what is new.
        max_val: the value never goes above it.
        min_val: … nor below this.
        initial: the value before the first sample; unset, the first sample is taken as it is.
    """

    def __init__(
        self,
        alpha: float,
        max_val: NotGivenOr[float] = NOT_GIVEN,
        min_val: NotGivenOr[float] = NOT_GIVEN,
        initial: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        self._alpha = _checked(alpha)
        self._max, self._min = max_val, min_val
        self._value = initial

    def reset(
        self,
        alpha: NotGivenOr[float] = NOT_GIVEN,
        initial: NotGivenOr[float] = NOT_GIVEN,
        min_val: NotGivenOr[float] = NOT_GIVEN,
        max_val: NotGivenOr[float] = NOT_GIVEN,
    ) -> None:
        """Change what is given and keep the rest."""
        self._alpha = _checked(alpha) if is_given(alpha) else self._alpha
        self._value = initial if is_given(initial) else self._value
        self._min = min_val if is_given(min_val) else self._min
        self._max = max_val if is_given(max_val) else self._max

    def apply(self, exp: float, sample: NotGivenOr[float] = NOT_GIVEN) -> float:
        """Take a sample that covers `exp` units of time and return the new value; without one the value stays.

        Raises:
            ValueError: there was neither a sample nor an initial value yet.
        """
        value = self._value
        if is_given(sample):
            weight = self._alpha**exp
            value = weight * value + (1 - weight) * sample if is_given(value) else sample
        if not is_given(value):
            raise ValueError("there is no value yet: give a sample, or `initial`")
        if is_given(self._max):
            value = min(value, self._max)
        if is_given(self._min):
            value = max(value, self._min)
        self._value = value
        return value

    @property
    def value(self) -> float | None:
        """The present value; None before the first."""
        return self._value if is_given(self._value) else None

    def update_base(self, alpha: float) -> None:
        """Weigh the past otherwise from now on."""
        self._alpha = _checked(alpha)


def _checked(alpha: float) -> float:
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha}; it must be above 0 and at most 1")
    return alpha


class MovingAverage:
    """The mean of the last `window_size` samples."""

    def __init__(self, window_size: int) -> None:
        self._samples: deque[float] = deque(maxlen=window_size)

    def add_sample(self, sample: float) -> None:
        """Take another one; the oldest goes when the window is full."""
        self._samples.append(sample)

    def get_avg(self) -> float:
        """The mean; 0 without samples."""
        return sum(self._samples) / len(self._samples) if self._samples else 0.0

    def reset(self) -> None:
        """Forget all samples."""
        self._samples.clear()

    def size(self) -> int:
        """How many samples there are."""
        return len(self._samples)
