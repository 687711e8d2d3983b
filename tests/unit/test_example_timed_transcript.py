"""The timed transcript example: the times of what was heard, and the files of them."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from agent_runtime import events
from agent_runtime.testing import Answer, UserSpeech, in_virtual_time, scripted_session
from tests.support.examples import load_example


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return load_example("timed_agent_transcript")


def files(folder: Path) -> tuple[str, list[dict]]:
    [subtitles] = folder.glob("*.vtt")
    return subtitles.read_text("utf-8"), json.loads(subtitles.with_suffix(".json").read_text("utf-8"))


@pytest.fixture
def agent(example: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    return example.Storyteller()


@in_virtual_time
async def test_words_have_the_times_at_which_they_were_heard(example, agent, tmp_path) -> None:
    speeches = [UserSpeech(6.0, 7.0, "Tell me something")]
    async with scripted_session(speeches, answers=[Answer("One two three four.")], durations=[2.0, 4.0]) as stage:
        await stage.session.start(agent)
        await stage.run_until(20.0)
        [first, second] = stage.times("playout_started")
        heard = stage.times("agent_heard")
    subtitles, [hello, question, answer] = files(tmp_path / "transcripts")
    assert [cue["speaker"] for cue in (hello, question, answer)] == ["agent", "user", "agent"]
    assert (question["text"], question["end"]) == ("Tell me something", 7.0)
    assert 6.0 <= question["start"] < 7.0
    assert hello["start"] == pytest.approx(first)
    assert answer["start"] == pytest.approx(second)
    assert [word["text"] for word in answer["words"]] == ["One", "two", "three", "four."]
    assert [word["end"] for word in answer["words"]] == pytest.approx(heard[-4:])
    assert [word["start"] for word in answer["words"]] == pytest.approx([second, *heard[-4:-1]])
    assert subtitles.startswith("WEBVTT\n\n00:00:00.")
    assert "<v user>Tell me something\n" in subtitles
    two = example.timestamp(answer["words"][1]["start"])
    assert f"<v agent>One <{two}>two <" in subtitles


@in_virtual_time
async def test_what_was_cut_off_is_not_there(agent, tmp_path) -> None:
    speeches = [UserSpeech(2.0, 4.0, "Stop")]
    async with scripted_session(speeches, answers=[Answer("Well.")], durations=[5.0, 1.0]) as stage:
        await stage.session.start(agent)
        await stage.run_until(12.0)
    subtitles, cues = files(tmp_path / "transcripts")
    cut = cues[0]["text"]
    assert 0 < len(cut) < len("Hello! Shall I tell you the story of the lighthouse?")
    assert cut.split() == [word["text"] for word in cues[0]["words"]]
    assert "lighthouse?" not in subtitles


@in_virtual_time
async def test_typed_conversations_have_cues_too(agent, tmp_path) -> None:
    async with scripted_session(microphone=False, speaker=False, answers=[Answer("Fine & <well>.")]) as stage:
        await stage.session.start(agent)
        await stage.run_until(2.0)
        stage.session.send_text("How are you?")
        await stage.run_until(4.0)
    subtitles, cues = files(tmp_path / "transcripts")
    assert [cue["text"] for cue in cues][1:] == ["How are you?", "Fine & <well>."]
    assert "00:00:02.000 --> 00:00:02.500\n<v user>How are you?" in subtitles
    assert "<v agent>Fine &amp; <00:00:02.200>&lt;well&gt;.\n" in subtitles
    assert [word["text"] for word in cues[2]["words"]] == ["Fine", "&", "<well>."]


@in_virtual_time
async def test_a_session_without_a_word_leaves_no_file(example, tmp_path) -> None:
    async with scripted_session() as stage:
        example.Transcript(stage.session, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@in_virtual_time
async def test_a_word_that_comes_in_pieces_is_one(example, tmp_path) -> None:
    async with scripted_session() as stage:
        transcript = example.Transcript(stage.session, tmp_path)
        for at, text in [(1.0, "I"), (1.2, "I'm"), (1.5, "I'm here")]:
            stage.session.events.emit(events.AgentHeard("speech", "item", text, 0.0), time=at)
    [cue] = transcript.cues
    assert [(word.text, word.end) for word in cue.words] == [("I'm", 1.0), ("here", 1.5)]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00:00.000"), (61.2345, "00:01:01.234"), (3599.9996, "01:00:00.000")]
)
def test_timestamps(example, seconds, text) -> None:
    assert example.timestamp(seconds) == text
