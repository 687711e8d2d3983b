"""How long an answer and its parts may take before they are shown in red."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from agent_console.state.percentiles import WHOLE
from agent_runtime.records import record


@record(frozen=True, slots=True)
class Budgets:
    """Seconds for the whole wait, and for those parts that have a budget, by the part's name."""

    answer: float = 1.0
    parts: Mapping[str, float] = field(default_factory=dict)

    def of(self, name: str) -> float | None:
        """The budget of a part, or of the `WHOLE`; None without one."""
        return self.answer if name == WHOLE else self.parts.get(name)

    def is_over(self, name: str, seconds: float) -> bool:
        """Whether that took longer than it may; by what is shown, in hundredths."""
        budget = self.of(name)
        return budget is not None and round(seconds, 2) > budget
