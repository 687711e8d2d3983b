"""The version of LiveKit Agents whose names and meanings are offered."""

__version__ = "1.8.9"

__all__ = ["__version__"]
