"""What `replay` says of what it is given: nothing, a folder of bundles, an empty one, one that is being written."""

from __future__ import annotations

import os

import pytest

from agent_console.arguments import run_arguments
from agent_console.replay.command import what_is_missing
from agent_runtime.bundle import Bundle
from agent_runtime.errors import AgentConsoleError, BundleError
from tests.support.bundles import make_recorder, record_events
from tests.support.conversation import long_history, voice_turn


@pytest.fixture
def recordings(tmp_path, monkeypatch):
    """The folder for recordings, of a project without any."""
    folder = tmp_path / "recordings"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("AGENT_CONSOLE_RECORDINGS", str(folder))
    return folder


def test_without_a_bundle_the_newest_are_listed(recordings, capsys):
    for number in range(12):
        path = record_events(recordings / f"b{number}", long_history(number % 3 + 1))
        os.utime(path, (1000.0 * number, 1000.0 * number))
    (recordings / "something else").mkdir()
    assert run_arguments(["replay"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[-1] for line in lines[:10]]
    assert names == [f"b{number}" for number in range(11, 1, -1)]
    assert "3 turns" in lines[0]
    assert "1 turn " in lines[2]
    assert lines[-2].startswith("2 older ones are in ")
    assert lines[-1] == f"play one: agent-console replay {recordings / 'b11'}"


def test_without_any_it_says_how_to_make_one(recordings, capsys):
    assert run_arguments(["replay"]) == 0
    assert capsys.readouterr().out == (
        f"there are no recordings in {recordings} yet: R in the console records, and so does --record\n"
    )


def test_a_bundle_that_can_not_be_read_is_listed_with_the_reason(recordings, capsys):
    path = record_events(recordings / "b", long_history(1))
    (path / "bundle.json").write_text("{")
    assert run_arguments(["replay"]) == 0
    assert "isn't JSON" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is no session bundle: it is empty"),
        (lambda path: (path / "notes.txt").touch(), r"is no session bundle: there is no bundle\.json in it"),
        (
            lambda path: record_events(path / "one", []),
            "holds 1 bundle and is none itself: name one, .*one is the newest",
        ),
    ],
)
def test_a_folder_that_is_none_is_refused_in_a_line(tmp_path, make, message):
    (tmp_path / "b").mkdir()
    make(tmp_path / "b")
    with pytest.raises(BundleError, match=message) as caught:
        run_arguments(["replay", str(tmp_path / "b")])
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(BundleError, match=r"is no bundle: name a bundle's folder, or a file of events, \*\.jsonl"):
        run_arguments(["replay", str(tmp_path / "notes.txt")])


def test_an_empty_one_is_refused(tmp_path):
    path = record_events(tmp_path / "b", [])
    with pytest.raises(BundleError, match="holds no event"):
        what_is_missing(Bundle.open(path))


def test_one_that_is_being_written_is_told_from_one_that_was_cut_off(tmp_path):
    recorder = make_recorder(tmp_path / "b")
    for event in voice_turn().events:
        recorder.event(event)
    (tmp_path / "copy").mkdir()
    for name in ("bundle.json", "events.jsonl"):
        (tmp_path / "copy" / name).write_bytes((tmp_path / "b" / name).read_bytes())
    (tmp_path / "copy" / "events.jsonl").write_text("{}\n")
    assert "cut off" in what_is_missing(Bundle.open(tmp_path / "copy"))[0]
    bundle = Bundle.open(tmp_path / "b")
    assert bundle.is_being_written
    assert recorder.close(10)
    assert not Bundle.open(tmp_path / "b").is_being_written
    assert what_is_missing(Bundle.open(tmp_path / "b")) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--judge", "embedded"], "--judge embedded: use openai or openai:MODEL"),
        (["--latency", "0"], "--latency 0: it has to be more than 0 seconds"),
    ],
)
def test_a_judge_or_a_budget_that_can_not_be_used_is_refused(tmp_path, arguments, message):
    path = record_events(tmp_path / "b", voice_turn().events)
    with pytest.raises(AgentConsoleError, match=message):
        run_arguments(["test", str(path), *arguments])
