"""Small tools that every part of the runtime uses, and that people write providers with."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from agent_runtime.types import is_given
from agent_runtime.utils import aio
from agent_runtime.utils.bounded_dict import BoundedDict
from agent_runtime.utils.connection_pool import ConnectionPool
from agent_runtime.utils.event_emitter import EventEmitter
from agent_runtime.utils.exceptions import log_exceptions
from agent_runtime.utils.ids import nodename, shortuuid, time_ms
from agent_runtime.utils.smoothing import ExpFilter, MovingAverage

if TYPE_CHECKING:
    from agent_runtime.utils import audio, codecs, http_context, hw, images
    from agent_runtime.utils.audio import AudioArrayBuffer, AudioBuffer, combine_frames, merge_frames

__all__ = [
    "AudioArrayBuffer",
    "AudioBuffer",
    "BoundedDict",
    "ConnectionPool",
    "EventEmitter",
    "ExpFilter",
    "MovingAverage",
    "aio",
    "audio",
    "codecs",
    "combine_frames",
    "http_context",
    "hw",
    "images",
    "is_given",
    "log_exceptions",
    "merge_frames",
    "nodename",
    "shortuuid",
    "time_ms",
]

_AUDIO = ("AudioArrayBuffer", "AudioBuffer", "combine_frames", "merge_frames")


def __getattr__(name: str) -> object:
    # Frames are the one heavy import here, and few need HTTP or pictures.
    if name in ("audio", "codecs", "http_context", "hw", "images"):
        return importlib.import_module(f"agent_runtime.utils.{name}")
    if name in _AUDIO:
        return getattr(importlib.import_module("agent_runtime.utils.audio"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
