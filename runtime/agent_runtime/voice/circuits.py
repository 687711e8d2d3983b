"""Tells which providers behind a fallback adapter are asked, and which are left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from agent_runtime.events import Circuit, CircuitsChanged
from agent_runtime.utils.circuit_breaker import CircuitBoard
from agent_runtime.voice.reporter import Reporter

Kind: TypeAlias = Literal["stt", "llm", "tts", "vad"]


class Circuits:
    """See the module. One per session."""

    def __init__(self, report: Reporter) -> None:
        self._report = report
        self._followed: dict[Kind, Callable[[], None]] = {}

    def follow(self, kind: Kind, provider: Any) -> None:
        """Tell of the providers behind this one from now on, and no longer of those behind the one before it."""
        before = self._followed.pop(kind, None)
        if before is not None:
            before()
        board = getattr(provider, "circuits", None)
        if not isinstance(board, CircuitBoard):
            if before is not None:
                self._report.emit(CircuitsChanged(kind, ()), "start")
            return
        since = [self._report.stream.now()] * len(board.circuits)

        def tell(number: int | None, cause: str) -> None:
            if number is not None:
                since[number] = self._report.stream.now()
            circuits = tuple(
                Circuit(name_of(one), breaker.state, at, breaker.problem)
                for (one, breaker), at in zip(board.circuits, since, strict=True)
            )
            self._report.emit(CircuitsChanged(kind, circuits, number), cause)

        self._followed[kind] = board.listen(tell)
        tell(None, "start")

    def close(self) -> None:
        """Tell of none any more."""
        for kind in tuple(self._followed):
            self._followed.pop(kind)()


def served_by(provider: Any) -> str:
    """The model that answered or spoke last; behind a fallback, the one that did."""
    if provider is None:
        return ""
    model = getattr(provider, "metrics_metadata", {}).get("model_name")
    return model if model and model != "unknown" else name_of(provider)


def name_of(provider: Any) -> str:
    """What people know a provider by: its model, or the class where the model has no name."""
    provider = getattr(provider, "duplex_model", provider)
    model = getattr(provider, "model", "")
    return str(model) if model and model != "unknown" else type(provider).__name__
