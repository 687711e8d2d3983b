"""What is to happen when something that is supervised fails: again at once, again after a while, or no more.

A supervisor starts its child, and asks `Restarts` each time that it failed. It waits as long as it is told. When too
many failures come in too short a time, starting again would be in vain: then the failure is the supervisor's own, and
goes to whoever supervises that.
"""

from __future__ import annotations

from collections import deque

from agent_runtime.clock import Clock
from agent_runtime.errors import TooManyRestartsError
from agent_runtime.records import record


@record(frozen=True, slots=True)
class RestartPolicy:
    """How often and how soon a child is started again.

    Args:
        most: failures within `within` seconds that are borne.
        within: seconds.
        first_delay: seconds before the second start in a row; the first comes at once.
        factor: by which each further delay is longer.
        longest_delay: seconds.
    """

    most: int = 5
    within: float = 60.0
    first_delay: float = 0.5
    factor: float = 2.0
    longest_delay: float = 30.0


class Restarts:
    """The failures of one child, or of a group that fails for the same reasons.

    Args:
        name: of what fails, for the error.
        policy: how much is borne.
        clock: tells how long ago a failure was.
    """

    def __init__(self, name: str, policy: RestartPolicy, clock: Clock) -> None:
        self._name = name
        self._policy = policy
        self._clock = clock
        self._failures: deque[float] = deque()
        self._in_a_row = 0

    def failed(self, why: str) -> float:
        """Seconds to wait before the next start. Raises TooManyRestartsError if there is to be none."""
        policy, now = self._policy, self._clock.now()
        self._failures.append(now)
        while self._failures[0] < now - policy.within:
            self._failures.popleft()
        if len(self._failures) > policy.most:
            raise TooManyRestartsError(self._name, len(self._failures), policy.within, why)
        self._in_a_row += 1
        if self._in_a_row == 1:
            return 0.0
        return min(policy.first_delay * policy.factor ** (self._in_a_row - 2), policy.longest_delay)

    def worked(self) -> None:
        """It runs: the next failure is the first in a row."""
        self._in_a_row = 0
