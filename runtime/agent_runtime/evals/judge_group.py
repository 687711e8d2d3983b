"""Several judges of one conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent_runtime.evals.judges import Evaluator, JudgmentResult
from agent_runtime.llm import LLM, ChatContext

logger = logging.getLogger(__name__)

_WORTH: Final[Mapping[str, float]] = {"pass": 1.0, "maybe": 0.5, "fail": 0.0}


@dataclass
class EvaluationResult:
    """What the judges of a group found."""

    judgments: dict[str, JudgmentResult] = field(default_factory=dict)
    """By the judge's name; a judge that failed to judge isn't among them."""

    @property
    def score(self) -> float:
        """Their mean from 0 to 1, where a `maybe` counts half; 0 without any."""
        values = [_WORTH[judgment.verdict] for judgment in self.judgments.values()]
        return sum(values) / len(values) if values else 0.0

    @property
    def all_passed(self) -> bool:
        """Whether each is a `pass`."""
        return all(judgment.passed for judgment in self.judgments.values())

    @property
    def any_passed(self) -> bool:
        """Whether one is."""
        return any(judgment.passed for judgment in self.judgments.values())

    @property
    def majority_passed(self) -> bool:
        """Whether more than half are, or there is none."""
        passed = sum(judgment.passed for judgment in self.judgments.values())
        return passed > len(self.judgments) / 2 or not self.judgments

    @property
    def none_failed(self) -> bool:
        """Whether none is a `fail`."""
        return not any(judgment.failed for judgment in self.judgments.values())


class JudgeGroup:
    """Judges that share a model. In a job, what they find is tagged: see `JobContext.tagger`.

    Args:
        llm: the model; `openai/MODEL` makes one of OpenAI's.
        judges: who judges.

    Raises ValueError for a model by a name of another kind.
    """

    def __init__(self, *, llm: LLM[Any] | str, judges: Sequence[Evaluator] | None = None) -> None:
        self._llm = _openai_model(llm) if isinstance(llm, str) else llm
        self._judges = list(judges or ())

    @property
    def llm(self) -> LLM[Any]:
        """The model."""
        return self._llm

    @property
    def judges(self) -> list[Evaluator]:
        """Who judges."""
        return self._judges

    async def evaluate(self, chat_ctx: ChatContext, *, reference: ChatContext | None = None) -> EvaluationResult:
        """Have all of them judge at the same time. One that fails is told in the log and left out."""
        verdicts = await asyncio.gather(
            *(judge.evaluate(chat_ctx=chat_ctx, reference=reference, llm=self._llm) for judge in self._judges),
            return_exceptions=True,
        )
        result = EvaluationResult()
        for judge, verdict in zip(self._judges, verdicts, strict=True):
            if isinstance(verdict, JudgmentResult):
                result.judgments[judge.name] = verdict
            elif isinstance(verdict, Exception):
                logger.warning("the judge %s gave no verdict: %s", judge.name, verdict)
            elif isinstance(verdict, BaseException):
                raise verdict
            else:
                logger.warning("the judge %s gave %r in place of a JudgmentResult", judge.name, verdict)
        _tag(result)
        return result


def _tag(result: EvaluationResult) -> None:
    from agent_runtime.worker.job import current_job

    job = current_job.get()
    if job is not None:
        job.tagger._evaluation(result)


def _openai_model(name: str) -> LLM[Any]:
    vendor, _, model = name.partition("/")
    if vendor != "openai" or not model:
        raise ValueError(f"{name!r} can't be asked from here: give an llm.LLM, or openai/MODEL for one of OpenAI's")
    from agent_runtime.providers.openai import LLM as OpenAILLM

    return OpenAILLM(model=model)
