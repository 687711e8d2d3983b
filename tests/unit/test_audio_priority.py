"""Threads that move sound run before others where that is allowed, and nobody else does."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from agent_runtime.devices import priority
from agent_runtime.devices.priority import NICENESS, first_in_line


def standing() -> tuple[int, int]:
    """The present thread's policy and niceness."""
    thread = threading.get_native_id()
    return os.sched_getscheduler(thread), os.getpriority(os.PRIO_PROCESS, thread)


def standing_of_a_new_thread() -> tuple[int, int]:
    found: list[tuple[int, int]] = []
    thread = threading.Thread(target=lambda: found.append(standing()))
    thread.start()
    thread.join()
    return found[0]


if sys.platform == "linux":  # elsewhere the system does it by itself, and has none of these calls

    def test_threads_that_are_made_inside_go_first_where_it_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
        before = standing()
        asked: list[tuple[int, int]] = []
        monkeypatch.setattr(os, "sched_setscheduler", lambda thread, policy, _: asked.append((thread, policy)))
        with first_in_line():
            assert asked == [(threading.get_native_id(), os.SCHED_RR)]
            assert standing_of_a_new_thread() == standing()
            assert standing()[1] in (NICENESS, before[1])  # as the user's limits have it
        assert asked[1:] == [(threading.get_native_id(), before[0])]
        assert standing() == standing_of_a_new_thread() == before

    def test_where_it_is_not_allowed_sound_still_plays(monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        before = standing()
        with monkeypatch.context() as patch:
            patch.setattr(os, "setpriority", refuse)
            patch.setattr(os, "sched_setscheduler", refuse)
            with first_in_line():
                assert standing() == before
        assert standing() == before

    def test_it_ends_with_an_error_too() -> None:
        before = standing()
        with pytest.raises(ZeroDivisionError), first_in_line():
            raise ZeroDivisionError
        assert standing() == before


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priority.sys, "platform", "darwin")
    monkeypatch.delattr(os, "sched_setscheduler", raising=False)
    with first_in_line():
        pass
