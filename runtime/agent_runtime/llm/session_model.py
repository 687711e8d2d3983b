"""What a session uses for the model that it is given."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from agent_runtime.llm.duplex import DuplexModel
    from agent_runtime.llm.realtime import RealtimeModel

T = TypeVar("T")


def for_session(model: DuplexModel | T) -> RealtimeModel | T:
    """A duplex model's adapter, anything else as it is."""
    if "agent_runtime.llm.duplex" not in sys.modules:  # nobody has such a model who hasn't imported it
        return cast("T", model)
    from agent_runtime.llm.duplex import DuplexModel

    if not isinstance(model, DuplexModel):
        return model
    from agent_runtime.llm.duplex_adapter import DuplexRealtimeAdapter

    return DuplexRealtimeAdapter(model)
