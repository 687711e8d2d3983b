"""What became of a conversation, as tags that go into its report."""

from __future__ import annotations

import time
from typing import Any, Final, Literal

SUCCESS: Final = "lk.success"
FAIL: Final = "lk.fail"
"""Tags of the two outcomes, LiveKit's own names."""


class Tagger:
    """Tags of a job's conversation: `JobContext.tagger`. They are in `JobContext.make_session_report`."""

    def __init__(self) -> None:
        self._tags: dict[str, dict[str, Any]] = {}
        self._outcome_reason: str | None = None
        self._evaluations: list[dict[str, Any]] = []

    def success(self, reason: str | None = None) -> None:
        """The conversation came to what it was for; it takes back a `fail`."""
        self._decide(SUCCESS, instead_of=FAIL, reason=reason)

    def fail(self, reason: str | None = None) -> None:
        """It didn't; it takes back a `success`."""
        self._decide(FAIL, instead_of=SUCCESS, reason=reason)

    def add(self, tag: str, *, metadata: dict[str, Any] | None = None) -> None:
        """Add a tag such as `language:es`; one that is there gets the new metadata."""
        self._tags[tag] = {"time": time.time(), "metadata": metadata}

    def remove(self, tag: str) -> None:
        """Take a tag away, if it is there."""
        self._tags.pop(tag, None)

    @property
    def tags(self) -> set[str]:
        """All of them."""
        return set(self._tags)

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """What judges said of the conversation."""
        return self._evaluations.copy()

    @property
    def outcome(self) -> Literal["success", "fail"] | None:
        """How it went, None where nobody said."""
        if SUCCESS in self._tags:
            return "success"
        return "fail" if FAIL in self._tags else None

    @property
    def outcome_reason(self) -> str | None:
        """Why it went so."""
        return self._outcome_reason

    def as_plain(self) -> dict[str, Any]:
        """For the report: `{"tags": [{"tag", "time", "metadata"?}], "outcome", "outcome_reason", "evaluations"}`."""
        tags = [
            {"tag": tag} | {key: value for key, value in entry.items() if value is not None}
            for tag, entry in sorted(self._tags.items())
        ]
        return {
            "tags": tags,
            "outcome": self.outcome,
            "outcome_reason": self._outcome_reason,
            "evaluations": self.evaluations,
        }

    def _decide(self, tag: str, *, instead_of: str, reason: str | None) -> None:
        self.remove(instead_of)
        self.add(tag)
        self._outcome_reason = reason

    def _evaluation(self, result: Any) -> None:
        # LiveKit Agents' judges call it with what they found: `judgments` by name.
        for name, judgment in result.judgments.items():
            tag = f"lk.judge.{name}:{judgment.verdict}"
            self.add(tag)
            self._evaluations.append(
                {
                    "name": name,
                    "tag": tag,
                    "verdict": judgment.verdict,
                    "reasoning": judgment.reasoning,
                    "instructions": getattr(judgment, "instructions", None),
                }
            )
