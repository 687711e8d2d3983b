"""Exceptions that nobody waits for."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_root = logging.getLogger()


def log_exceptions(msg: str = "", logger: logging.Logger = _root) -> Callable[[F], F]:
    """A decorator that logs what a function or coroutine function raises, with its traceback, and raises it on."""

    def decorate(function: F) -> F:
        text = f"{function.__qualname__} failed" + (f": {msg}" if msg else "")
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def logged_async(*args: Any, **kwargs: Any) -> Any:
                try:
                    return await function(*args, **kwargs)
                except Exception:
                    logger.exception(text)
                    raise

            return cast("F", logged_async)

        @functools.wraps(function)
        def logged(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except Exception:
                logger.exception(text)
                raise

        return cast("F", logged)

    return decorate
