"""Environment variables for those who read them at one moment: C libraries, and processes that are started."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Mapping

from agent_runtime.types import NotGivenOr, is_given

logger = logging.getLogger(__name__)


def resolve_env_var(val: NotGivenOr[str], *env_vars: str, default: str = "") -> str:
    """What was given, else the first of these variables that isn't empty, else the default."""
    if is_given(val):
        return val
    return next((value for name in env_vars if (value := os.environ.get(name))), default)


def resolve_env_int(name: str, default: int = 0) -> int:
    """A variable as a number; what is none is told and taken for the default."""
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    try:
        return int(text)
    except ValueError:
        logger.warning("%s is %r, which is no whole number: %d is taken", name, text, default)
        return default


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set these inside, for the whole process, and have them as before afterwards."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
