"""What an agent is told to be, with additions for speech and for text."""

from __future__ import annotations

import logging
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

logger = logging.getLogger(__name__)

DYNAMIC_INSTRUCTIONS_MESSAGE_ID = "lk.agent_task.instructions.dynamic"
"""Id of the message that holds `Instructions.dynamic`, right after that of the instructions; LiveKit Agents' value."""


@dataclass(frozen=True, init=False)
class Instructions:
    """Instructions that differ with how the user is talked to.

    Args:
        common: what holds always.
        audio: what is added when the agent speaks.
        text: what is added when it writes.
        dynamic: what changes from call to call, such as the time; apart, so that the rest can be cached.
    """

    common: str
    audio: str | None
    text: str | None
    dynamic: str | None

    def __init__(
        self, common: str = "", *, audio: str | None = None, text: str | None = None, dynamic: str | None = None
    ) -> None:
        for name, value in (("common", common), ("audio", audio), ("text", text), ("dynamic", dynamic)):
            object.__setattr__(self, name, value)

    @staticmethod
    def resolve_template(template: str, **values: object) -> Instructions:
        """Fill a template; a value that is `Instructions` gives one text for speech and one for writing."""
        texts = {
            modality: fill_template(template, {name: _variant(value, modality) for name, value in values.items()})
            for modality in ("audio", "text")
        }
        if texts["audio"] == texts["text"]:
            return Instructions(texts["audio"])
        return Instructions(audio=texts["audio"], text=texts["text"])

    def render(
        self, *, modality: Literal["audio", "text"] | None = None, data: Mapping[str, object] | None = None
    ) -> str:
        """The whole text for a modality; `data` fills its `{placeholders}`, and one without a value is left empty."""
        text = "\n".join(part for part in (self.render_static(modality=modality), self.dynamic) if part)
        return fill_template(text, data) if data else text

    def render_static(self, *, modality: Literal["audio", "text"] | None = None) -> str:
        """The text for a modality without `dynamic`."""
        addition = None if modality is None else self.audio if modality == "audio" else self.text
        return "\n\n".join(part for part in (self.common, addition) if part)

    def __str__(self) -> str:
        return self.common

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return self.common == other and not (self.audio or self.text or self.dynamic)
        if isinstance(other, Instructions):
            return self._key() == other._key()
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str | None, ...]:
        return (self.common, self.audio, self.text, self.dynamic)


def fill_template(template: str, data: Mapping[str, object]) -> str:
    """Fill `{placeholders}`, dotted into nested mappings; one that has no value is logged and left empty."""
    return _Formatter().vformat(template, (), {name: _namespace(value) for name, value in data.items()})


def _variant(value: object, modality: str) -> object:
    if not isinstance(value, Instructions):
        return value
    addition = value.audio if modality == "audio" else value.text
    return str(value) if addition is None else addition


def _namespace(value: object) -> object:
    if isinstance(value, Mapping):
        return SimpleNamespace(**{str(name): _namespace(inner) for name, inner in value.items()})
    return value


class _Formatter(string.Formatter):
    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        try:
            return super().get_field(field_name, args, kwargs)
        except (KeyError, IndexError, AttributeError, TypeError):
            logger.error(
                "the instructions' placeholder {%s} has no value; known are: %s", field_name, ", ".join(kwargs)
            )
            return None, field_name

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value if value is None else super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        return "" if value is None else str(super().format_field(value, format_spec))
