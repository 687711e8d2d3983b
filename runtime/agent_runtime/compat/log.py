"""The logger that plugins share."""

import logging

logger = logging.getLogger("livekit.agents")

__all__ = ["logger"]
