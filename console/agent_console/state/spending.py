"""What the models were given and gave, and what that costs by a table of prices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Final, Literal, TypeAlias

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent
from agent_runtime.records import record

Kind: TypeAlias = Literal["llm", "tts", "stt"]
MILLION: Final = 1_000_000
BUNDLED: Final = frozenset({"SmolLM2-135M-Instruct.Q4_1", "hibari-heart", "moonshine-tiny-en"})
"""Models that come with the console and run on this machine: nobody charges for them."""


@record(frozen=True, slots=True)
class ModelUsage:
    """One model's share of the session."""

    requests: int = 0
    input: int = 0
    """Tokens of prompts, with those that were cached."""
    cached: int = 0
    output: int = 0
    """Tokens."""
    characters: int = 0
    seconds: float = 0.0
    """Of audio, made or heard."""
    estimated: bool = False
    """Some of the tokens are counted by the text's length, since the provider didn't tell."""


@record(frozen=True, slots=True)
class Price:
    """What a model costs; None where it doesn't charge by that."""

    input: float | None = None
    """For a million tokens of prompts."""
    cached: float | None = None
    """For a million tokens of prompts that were cached; as `input` if unset."""
    output: float | None = None
    """For a million tokens."""
    characters: float | None = None
    """For a million."""
    minute: float | None = None
    """Of audio."""


@record(frozen=True, slots=True)
class Prices:
    """The table, by a model's name, and the currency that it is in."""

    currency: str = "$"
    models: Mapping[str, Price] = field(default_factory=dict)
    file: str = ""
    """Where it is, or would be looked for."""

    def cost(self, model: str, usage: ModelUsage) -> float | None:
        """What a model cost; None if the table doesn't have it."""
        price = self.models.get(model)
        if price is None:
            return None
        cached = price.cached if price.cached is not None else price.input
        tokens = (usage.input - usage.cached) * (price.input or 0.0) + usage.cached * (cached or 0.0)
        tokens += usage.output * (price.output or 0.0) + usage.characters * (price.characters or 0.0)
        return tokens / MILLION + usage.seconds / 60 * (price.minute or 0.0)


Spending: TypeAlias = Mapping[tuple[Kind, str], ModelUsage]


def spend(spending: Spending, event: AnyEvent, model: str, voice: str) -> Spending:
    """What was used, with one event more; the same object if it used nothing.

    `model` and `voice` are those that were asked, for recordings whose events don't say who answered.
    """
    data = event.data
    if isinstance(data, ev.LLMFinished):
        model = data.model or model
        old = spending.get(("llm", model), ModelUsage())
        new = replace(
            old,
            requests=old.requests + 1,
            input=old.input + data.prompt_tokens,
            cached=old.cached + data.cached_tokens,
            output=old.output + data.completion_tokens,
            estimated=old.estimated or data.estimated,
        )
        return {**spending, ("llm", model): new}
    if isinstance(data, ev.TTSFinished):
        voice = data.model or voice
        old = spending.get(("tts", voice), ModelUsage())
        new = replace(
            old,
            requests=old.requests + 1,
            characters=old.characters + data.characters,
            seconds=old.seconds + data.audio_duration,
        )
        return {**spending, ("tts", voice): new}
    if isinstance(data, ev.SpeechRecognized):
        old = spending.get(("stt", data.model), ModelUsage())
        return {**spending, ("stt", data.model): replace(old, seconds=old.seconds + data.audio_duration)}
    return spending
