"""What somebody who is attached may ask of a job: a line of JSON, `{"request": "text", "text": "Hello"}`."""

from __future__ import annotations

import json
from typing import Final, Literal, TypeAlias, cast, get_args

from agent_runtime.records import record

Kind: TypeAlias = Literal["text", "interrupt", "mute"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
LONGEST: Final = 4_000
"""Characters of a text."""


@record(frozen=True, slots=True)
class Asked:
    """`text`: the user typed it; `interrupt`: the agent stops speaking; `mute`: it hears silence, or not."""

    request: Kind
    text: str = ""
    muted: bool = False

    def to_json(self) -> str:
        """One line of JSON."""
        more: dict[Kind, dict[str, object]] = {"text": {"text": self.text}, "mute": {"muted": self.muted}}
        extra = more.get(self.request, {})
        return json.dumps({"request": self.request, **extra}, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str | bytes) -> Asked:
        """Read one. Raises ValueError that says what is wrong."""
        data = json.loads(line)
        if not isinstance(data, dict) or data.get("request") not in KINDS:
            raise ValueError(f"a request is one of {', '.join(KINDS)}")
        text, muted = data.get("text", ""), data.get("muted", False)
        if not isinstance(text, str) or len(text) > LONGEST or (data["request"] == "text" and not text.strip()):
            raise ValueError(f"text has to be words, {LONGEST} characters at most")
        if not isinstance(muted, bool):
            raise ValueError("muted has to be true or false")
        return cls(cast("Kind", data["request"]), text, muted)
