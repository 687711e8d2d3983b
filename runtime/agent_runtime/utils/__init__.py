"""Small tools that every part of the runtime uses."""

from agent_runtime.types import is_given
from agent_runtime.utils import aio
from agent_runtime.utils.event_emitter import EventEmitter
from agent_runtime.utils.ids import shortuuid, time_ms

__all__ = ["EventEmitter", "aio", "is_given", "shortuuid", "time_ms"]
