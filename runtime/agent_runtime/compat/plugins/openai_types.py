"""Names that files of `livekit-plugins-openai` import from inside of livekit-agents."""

from __future__ import annotations

from typing import TypeAlias

__all__ = ["RealtimeModels"]

RealtimeModels: TypeAlias = str
"""Names of realtime models."""
