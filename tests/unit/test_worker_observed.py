"""A job's session as those outside of its process get to see it."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from agent_runtime import events as ev
from agent_runtime.events.codec import loads, schema
from agent_runtime.testing import Answer, Stage
from agent_runtime.worker.observed import SLICE, ObservedJob, Recent
from agent_runtime.worker.requests import KINDS, Asked
from tests.support.play import HELLO, play


def event(seq: int, data: ev.EventData, session: str = "s") -> ev.AnyEvent:
    return ev.Event(seq, float(seq), session, None, None, data)


def test_the_newest_are_kept_and_what_tells_how_things_stand():
    recent = Recent(limit=2)
    told = [
        event(1, ev.SessionStarted("A", "room", 0.0, {})),
        event(2, ev.DeviceChanged("input", "opened", "mic")),
        event(3, ev.DeviceChanged("output", "opened", "speaker")),
        event(4, ev.TurnStarted(1)),
        event(5, ev.DeviceChanged("input", "lost", "mic")),
        event(6, ev.TurnStarted(2)),
        event(7, ev.TurnStarted(3)),
        event(8, ev.TurnStarted(4)),
    ]
    for item in told:
        recent.put(item)
    assert [item.seq for item in recent] == [1, 3, 5, 7, 8]


class Outside:
    """Whoever watches."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []

    @property
    def lines(self) -> list[str]:
        return [line for chunk in self.chunks for line in chunk.decode().split("\n")]

    @property
    def events(self) -> list[ev.AnyEvent]:
        return [loads(line) for line in self.lines]


def test_who_comes_late_gets_what_happened_and_then_what_happens():
    outside = Outside()

    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.follow(stage.session)
        await stage.run_until(4.0)
        assert outside.chunks == []  # nobody watches
        job.watch(outside.chunks.append)
        await stage.run_until(4.5)
        early = len(outside.events)
        assert early > 5
        await stage.run_until(8.0)
        job.close()
        assert len(outside.events) > early

    stage = play(9.0, HELLO, act=act, answers=[Answer("Fine, thank you.")])
    kinds = [type(item.data) for item in outside.events]
    assert ev.TurnCommitted in kinds
    assert ev.AgentHeard in kinds
    # Levels are told only while somebody watches, and each event once, in its order.
    seqs = [item.seq for item in outside.events]
    assert seqs == sorted(set(seqs))
    assert [line for line in outside.lines if json.loads(line)["data"]["type"] not in _known_types()] == []
    assert stage.events


def _known_types() -> set[str]:
    found = schema()["$defs"].values()
    return {definition["properties"]["type"]["const"] for definition in found if "type" in definition["properties"]}


def test_a_long_past_is_told_in_slices():
    outside = Outside()

    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.follow(stage.session)
        for number in range(3 * SLICE):
            stage.session.events.emit(ev.TurnMarked(str(number)))
        job.watch(outside.chunks.append)
        await asyncio.sleep(0.01)
        assert len(outside.lines) == SLICE  # the conversation goes on in between
        await asyncio.sleep(1.0)
        assert len(outside.lines) >= 3 * SLICE
        job.close()

    play(2.0, act=act)


def test_no_secret_leaves_the_process(monkeypatch):
    monkeypatch.setenv("WEATHER_API_KEY", "sunny-day-4711")
    outside = Outside()

    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.follow(stage.session)
        job.watch(outside.chunks.append)
        stage.session.events.emit(ev.ToolStarted("c", "get", '{"api_key": "anything", "city": "Rome"}'))
        logging.getLogger("agent_runtime.test").error("refused: sunny-day-4711")
        stage.session.events.emit(ev.RoomInvitation("r", "ws://l", "the-token", "lk", "http://l?token=the-token"))
        await asyncio.sleep(1.0)
        job.close()

    play(2.0, act=act)
    text = "\n".join(outside.lines)
    assert "Rome" in text
    assert "refused: ********" in text
    assert "room_invitation" in text
    assert not any(secret in text for secret in ("sunny-day", "anything", "the-token"))


def test_what_is_asked_is_done_or_refused():
    outside = Outside()

    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.ask(Asked("interrupt").to_json())  # nobody is there yet: it is logged
        job.follow(stage.session)
        job.watch(outside.chunks.append)
        job.ask(Asked("mute", muted=True).to_json())
        job.ask(Asked("text", "Good morning").to_json())
        await stage.run_until(0.3)
        job.ask("{}")
        await stage.run_until(3.0)
        job.ask(Asked("interrupt").to_json())
        await stage.run_until(4.0)
        job.close()

    play(5.0, act=act)
    found = [item.data for item in outside.events]
    assert ev.InputMuted(True) in found
    assert [item.text for item in found if isinstance(item, ev.TurnCommitted)] == ["Good morning"]
    assert ev.RequestRefused("?", "a request is one of text, interrupt, mute") in found


def test_the_figures_are_counted_whether_somebody_watches_or_not():
    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.follow(stage.session)
        await stage.run_until(8.0)
        names = {name for _, name, _, _ in job.figures.take()}
        assert {"agent_turn_seconds", "agent_turn_part_seconds"} <= names
        job.close()

    play(9.0, HELLO, act=act, answers=[Answer("Fine, thank you.")])


def test_the_log_is_told_only_while_somebody_watches():
    before = logging.getLogger().handlers[:]

    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.follow(stage.session)
        assert logging.getLogger().handlers == before
        unwatch = job.watch(lambda lines: None)
        other = job.watch(lambda lines: None)
        unwatch()
        assert len(logging.getLogger().handlers) == len(before) + 1
        other()
        assert logging.getLogger().handlers == before
        job.close()

    play(1.0, act=act)


def test_a_jobs_turns_are_traced_where_the_environment_asks_for_it(monkeypatch):
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "no-such-exporter")

    async def act(stage: Stage) -> None:
        job = ObservedJob()
        job.follow(stage.session)
        job.close()

    told = [item.data for item in play(1.0, act=act).events if isinstance(item.data, ev.ErrorOccurred)]
    assert [(error.source, "no exporter no-such-exporter" in error.message) for error in told] == [("telemetry", True)]


@pytest.mark.parametrize("asked", [Asked("text", "Zwei\nZeilen"), Asked("interrupt"), Asked("mute", muted=True)])
def test_a_request_reads_back(asked):
    assert Asked.from_json(asked.to_json()) == asked


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[]",
        '{"request": "stop"}',
        '{"request": "text", "text": " "}',
        '{"request": "text", "text": 1}',
        '{"request": "mute", "muted": "yes"}',
        json.dumps({"request": "text", "text": "a" * 4001}),
    ],
)
def test_anything_else_is_refused(line):
    with pytest.raises(ValueError, match=r"."):
        Asked.from_json(line)
    assert len(KINDS) == 3
