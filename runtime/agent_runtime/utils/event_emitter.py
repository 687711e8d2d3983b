"""Callbacks by event name."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

logger = logging.getLogger(__name__)

E = TypeVar("E", contravariant=True)
Callback = TypeVar("Callback", bound=Callable[..., Any])


class EventEmitter(Generic[E]):
    """Calls back whoever asked, in the order in which they asked.

    A callback that takes fewer arguments than the event has gets the first ones. One that raises is logged and the
    others are still called. Coroutine functions are refused: start a task inside a plain function instead.
    """

    def __init__(self) -> None:
        # The value is how many positional arguments the callback takes, None for any number.
        self.__callbacks: dict[E, dict[Callable[..., Any], int | None]] = {}

    def emit(self, event: E, *args: Any) -> None:
        """Call every callback of `event`."""
        callbacks = self.__callbacks.get(event)
        if not callbacks:
            return
        for callback, arity in tuple(callbacks.items()):
            try:
                callback(*args[:arity])
            except Exception:
                logger.exception("a callback of the event %r failed", event)

    @overload
    def on(self, event: E, callback: Callback) -> Callback: ...

    @overload
    def on(self, event: E, callback: None = None) -> Callable[[Callback], Callback]: ...

    def on(self, event: E, callback: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """Call `callback` whenever `event` is emitted; without one, a decorator. Registering twice counts once."""
        if callback is None:
            return lambda decorated: self.on(event, decorated)
        if inspect.iscoroutinefunction(callback):
            raise ValueError(
                f"{getattr(callback, '__name__', callback)!r} is a coroutine function, which `on` can't wait for: "
                "register a plain function that calls asyncio.create_task"
            )
        self.__callbacks.setdefault(event, {})[callback] = _positional_arity(callback)
        return callback

    @overload
    def once(self, event: E, callback: Callback) -> Callback: ...

    @overload
    def once(self, event: E, callback: None = None) -> Callable[[Callback], Callback]: ...

    def once(self, event: E, callback: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """As `on`, but only the first time. Returns what `off` takes."""
        if callback is None:

            def decorate(decorated: Callable[..., Any]) -> Callable[..., Any]:
                self.once(event, decorated)
                return decorated

            return decorate
        arity = _positional_arity(callback)

        def call_once(*args: Any) -> None:
            self.off(event, call_once)
            callback(*args[:arity])

        return self.on(event, call_once)

    def off(self, event: E, callback: Callable[..., Any]) -> None:
        """Don't call `callback` any more. One that isn't registered is no mistake."""
        self.__callbacks.get(event, {}).pop(callback, None)

    def has_listeners(self, event: E) -> bool:
        """Whether anybody would be called; ask before making a costly payload."""
        return bool(self.__callbacks.get(event))


def _positional_arity(callback: Callable[..., Any]) -> int | None:
    try:
        parameters = inspect.signature(callback).parameters.values()
    except ValueError:  # a builtin without a signature
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters)
