"""Models that answer closed questions about a conversation: how probable, which one, how much."""

from __future__ import annotations

import asyncio
import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from agent_runtime.errors import APIError, APITimeoutError
from agent_runtime.lazy_model import LazyModel
from agent_runtime.llm.chat_context import ChatContext
from agent_runtime.llm.chat_items import ChatMessage
from agent_runtime.metrics import DecisionMetrics, Metadata
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions
from agent_runtime.utils import EventEmitter
from agent_runtime.utils.provider import Named

DecisionKind: TypeAlias = Literal["probability", "choice", "score"]
_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


@dataclass(frozen=True)
class Probability:
    """How probable it is that `prompt` is true."""

    prompt: str


@dataclass(frozen=True)
class Choice:
    """Which one of several."""

    prompt: str
    options: dict[str, str]
    """Name → when it is the right one."""


@dataclass(frozen=True)
class Score:
    """Where on a scale."""

    prompt: str
    levels: list[str]
    """What each level means, from level 0 on."""


Decision: TypeAlias = Probability | Choice | Score


@dataclass(frozen=True)
class DecisionCapabilities:
    """What a model can be asked."""

    decision_kinds: list[DecisionKind]


class ProbabilityResult(LazyModel):
    """The answer to a `Probability`."""

    kind: Literal["probability"] = "probability"
    value: _Share
    provider_data: dict[str, Any] = Field(default_factory=dict)


class ChoiceResult(LazyModel):
    """The answer to a `Choice`."""

    kind: Literal["choice"] = "choice"
    value: str
    """The name of an option."""
    probabilities: dict[str, _Share] | None = None
    """Of every option, where the provider tells."""
    provider_data: dict[str, Any] = Field(default_factory=dict)


class ScoreResult(LazyModel):
    """The answer to a `Score`."""

    kind: Literal["score"] = "score"
    value: float = Field(ge=0, allow_inf_nan=False)
    """The level to be expected, fractions of levels included."""
    probabilities: dict[int, _Share]
    """Of every level."""
    levels: list[str]
    provider_data: dict[str, Any] = Field(default_factory=dict)


DecisionResult: TypeAlias = Annotated[ProbabilityResult | ChoiceResult | ScoreResult, Field(discriminator="kind")]


class DecisionResponse(LazyModel):
    """The answers to all that was asked; each name is in `results` or in `errors`."""

    results: dict[str, DecisionResult]
    errors: dict[str, str] = Field(default_factory=dict)
    """Name → what was wrong with its answer."""
    model: str = ""
    provider: str = ""
    request_id: str = ""
    input_tokens: int | None = Field(default=None, ge=0)
    output_tokens: int | None = Field(default=None, ge=0)


class DecisionModel(ABC, Named, EventEmitter[Literal["metrics_collected"]]):
    """A model that decides. A provider's class implements `_evaluate_impl`, one attempt without retries."""

    def __init__(self, *, capabilities: DecisionCapabilities) -> None:
        super().__init__()
        self._capabilities = capabilities

    @property
    def capabilities(self) -> DecisionCapabilities:
        """What it can be asked."""
        return self._capabilities

    async def evaluate(
        self,
        *,
        input: str | ChatContext,
        decisions: Mapping[str, Decision],
        conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS,
    ) -> DecisionResponse:
        """Have it decide, in one request.

        Args:
            input: a text as it is, or a conversation, of which it is told what user and assistant said.
            decisions: questions by names of yours.
            conn_options: seconds for each attempt, and how often to try.

        Raises:
            ValueError: a question can't be asked, or not of this model.
            APIError: the request failed, and again in every retry if it was worth one; or it was answered with names
                that weren't asked.
        """
        asked = copy.deepcopy(dict(decisions))
        for name, decision in asked.items():
            _check_question(name, decision, self._capabilities)
        if not asked:
            return DecisionResponse(results={}, model=self.model, provider=self.provider)
        text = input if isinstance(input, str) else _transcript(input)
        clock = asyncio.get_running_loop().time
        started = clock()
        response = await self._attempts(text, asked, conn_options)
        response.model = response.model or self.model
        response.provider = response.provider or self.provider
        metrics = DecisionMetrics(
            label=self.label,
            request_id=response.request_id,
            timestamp=time.time(),
            duration=clock() - started,
            input_tokens=response.input_tokens,
            output_tokens=response.output_tokens,
            metadata=Metadata(model_name=response.model, model_provider=response.provider),
        )
        self.emit("metrics_collected", metrics)
        _check_answers(response, asked)
        return response

    async def _attempts(
        self, text: str, asked: Mapping[str, Decision], conn_options: APIConnectOptions
    ) -> DecisionResponse:
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(conn_options.timeout):
                    return await self._evaluate_impl(input=text, decisions=asked, conn_options=conn_options)
            except TimeoutError:
                error: APIError = APITimeoutError(f"{self.label} didn't decide within {conn_options.timeout:g} s")
            except APIError as e:
                error = e
            if not error.retryable or attempt == conn_options.max_retry:
                raise error
            await asyncio.sleep(conn_options.interval_for(attempt))
            attempt += 1

    @abstractmethod
    async def _evaluate_impl(
        self,
        *,
        input: str,
        decisions: Mapping[str, Decision],
        conn_options: APIConnectOptions,
    ) -> DecisionResponse:
        """Ask once. Raises APIError."""

    async def aclose(self) -> None:
        """Give back what is held."""


def _transcript(chat_ctx: ChatContext) -> str:
    """What user and assistant said, a line `role: text` each."""
    return "\n".join(
        f"{item.role}: {item.text_content}"
        for item in chat_ctx.items
        if isinstance(item, ChatMessage) and item.role in ("user", "assistant") and item.text_content
    )


def _kind(decision: Decision) -> DecisionKind:
    if isinstance(decision, Probability):
        return "probability"
    return "choice" if isinstance(decision, Choice) else "score"


def _check_question(name: str, decision: Decision, capabilities: DecisionCapabilities) -> None:
    if not name or not decision.prompt.strip():
        raise ValueError(f"decision {name!r} needs a name and a prompt that says something")
    if isinstance(decision, Choice) and (len(decision.options) < 2 or not all(decision.options)):
        raise ValueError(f"decision {name!r} needs two options or more, each with a name")
    if isinstance(decision, Score) and (len(decision.levels) < 2 or not all(map(str.strip, decision.levels))):
        raise ValueError(f"decision {name!r} needs two levels or more, each with a description")
    if (kind := _kind(decision)) not in capabilities.decision_kinds:
        raise ValueError(f"decision {name!r} is a {kind}, which this model can't be asked")


def _check_answers(response: DecisionResponse, asked: Mapping[str, Decision]) -> None:
    """Move answers that don't fit their question to the errors. Raises APIError if the whole can't be trusted."""
    if unknown := (response.results.keys() | response.errors.keys()) - asked.keys():
        raise APIError(f"the model decided what it wasn't asked: {', '.join(sorted(unknown))}", retryable=False)
    if twice := response.results.keys() & response.errors.keys():
        raise APIError(f"the model both answered and failed: {', '.join(sorted(twice))}", retryable=False)
    for name, decision in asked.items():
        if name in response.errors:
            continue
        result = response.results.get(name)
        problem = "it wasn't answered" if result is None else _problem(result, decision)
        if problem is not None:
            response.results.pop(name, None)
            response.errors[name] = problem


def _problem(result: ProbabilityResult | ChoiceResult | ScoreResult, decision: Decision) -> str | None:
    """What is wrong with an answer, None if nothing is."""
    if result.kind != _kind(decision):
        return f"a {result.kind} was answered"
    if isinstance(decision, Choice) and isinstance(result, ChoiceResult):
        if result.value not in decision.options:
            return f"{result.value!r} is none of the options"
        shares = result.probabilities
        if shares is not None and shares.keys() != decision.options.keys():
            return "the probabilities aren't those of the options"
        if shares is not None and shares[result.value] < max(shares.values()):
            return f"{result.value!r} isn't the most probable option"
    if isinstance(decision, Score) and isinstance(result, ScoreResult):
        if result.levels != decision.levels or result.probabilities.keys() != set(range(len(decision.levels))):
            return "the probabilities aren't those of the levels"
        if result.value > len(decision.levels) - 1:
            return f"{result.value:g} is beyond the last level"
    return None
