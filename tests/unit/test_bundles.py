"""Bundles: written, read, cut off, from other versions, and without secrets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agent_runtime.bundle import Bundle, Manifest, Scrubber, layout, recorded_turns
from agent_runtime.bundle.code_copy import SourceTree
from agent_runtime.bundle.schemas import NAMES, schema_text
from agent_runtime.errors import BundleError
from agent_runtime.events import AudioMeter, Event, InputMuted, LogWritten, ToolStarted, TurnStarted
from agent_runtime.media.wav import read_wav
from tests.support.bundles import BUNDLE_V1, make_recorder, record_events
from tests.support.conversation import QUESTION, WEATHER, interrupted, voice_turn

ROOT = Path(__file__).resolve().parents[2]


def log(seq: int, message: str = "x") -> Event:
    return Event(seq, seq / 10, "s", None, None, LogWritten("info", "test", message))


def test_what_was_recorded_is_read_back(tmp_path):
    events = voice_turn().events
    bundle = Bundle.open(record_events(tmp_path / "b", events))
    assert list(bundle.events()) == events
    assert bundle.manifest.complete
    assert bundle.duration == events[-1].time
    assert [mark.number for mark in bundle.turns] == [1, 2]
    assert next(bundle.events(bundle.turns[1].offset)) == next(
        event for event in events if event.turn_id == "turn-2" and isinstance(event.data, TurnStarted)
    )
    assert bundle.user_wav is None


def test_meters_can_be_left_out(tmp_path):
    bundle = Bundle.open(record_events(tmp_path / "b", voice_turn().events))
    without = [event for _, event in bundle.events_with_offsets(meters=False)]
    assert without == [event for event in bundle.events() if not isinstance(event.data, AudioMeter)]
    assert without


def test_sound_lies_on_the_session_s_clock_and_is_silent_while_muted(tmp_path):
    recorder = make_recorder(tmp_path / "b", now=lambda: 4.0, manifest={"begins": 1.0})
    loud = np.full(16000, 500, np.int16)
    recorder.sound("user", 2.0, loud, 16000)
    recorder.event(Event(1, 2.0, "s", None, None, InputMuted(True)))
    recorder.sound("user", 3.0, loud, 16000)
    recorder.sound("agent", 3.5, loud[:8000], 16000)
    assert recorder.close(10)
    bundle = Bundle.open(tmp_path / "b")
    user, rate = read_wav(bundle.user_wav)
    assert len(user) == 3 * rate
    assert user[: rate - 1].all()
    assert not user[rate:].any()
    agent, _ = read_wav(bundle.agent_wav)
    assert np.flatnonzero(agent[:, 0])[[0, -1]].tolist() == [2 * rate, 2 * rate + 7999]


def test_a_folder_that_holds_something_is_not_written_over(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(BundleError, match="isn't empty"):
        make_recorder(tmp_path)


KILLED = """
import os, signal, sys, time
import numpy as np
from pathlib import Path
from tests.support.bundles import make_recorder
from tests.support.conversation import voice_turn
recorder = make_recorder(Path(sys.argv[1]), now=lambda: 60.0)
for event in voice_turn().events:
    recorder.event(event)
for second in range(1, 6):
    recorder.sound("agent", float(second), np.ones(24000, np.int16), 24000)
time.sleep(1.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_written_a_second_before_a_kill_is_there(tmp_path):
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "b")], cwd=ROOT, timeout=60, check=False)
    bundle = Bundle.open(tmp_path / "b")
    assert not bundle.manifest.complete
    assert list(bundle.events()) == voice_turn().events
    assert len(read_wav(bundle.agent_wav)[0]) == 5 * 24000


# --- other versions, and what is wrong with a bundle -------------------------------------------------------------


def test_version_1_is_read():
    bundle = Bundle.open(BUNDLE_V1)
    assert [turn.user for turn in recorded_turns(bundle.events())] == ["hello"]
    assert (bundle.code[0].entry, bundle.config, bundle.duration) == ("desk.py", {"llm": "auto"}, 1.0)


def test_an_older_manifest_is_made_one_of_today_step_by_step(monkeypatch, tmp_path):
    monkeypatch.setattr(layout, "VERSION", 3)
    steps = {1: lambda old: {**old, "agent": old["agent"] + "!"}, 2: lambda old: {**old, "begins": 7.0}}
    monkeypatch.setattr(layout, "UPGRADES", steps)
    manifest = layout.read_manifest(BUNDLE_V1)
    assert (manifest.version, manifest.agent, manifest.begins) == (3, "desk.py!", 7.0)


def test_the_file_that_events_writes_is_a_bundle_without_sound(tmp_path):
    path = record_events(tmp_path / "b", voice_turn().events) / "events.jsonl"
    other = tmp_path / "alone" / "mine.jsonl"
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    bundle = Bundle.open(other)
    assert list(bundle.events()) == voice_turn().events
    assert (bundle.agent_wav, bundle.config, bundle.code) == (None, {}, ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"version": 99}', "bundle.json: version: version 99 is newer"),
        ('{"version": 1,\n "begins": "x"}', "bundle.json:2: begins: Input should be a valid number"),
        ('{"made_by": "x"}', "bundle.json: version: Field required"),
        ('{"version":\n oops}', "bundle.json:2: isn't JSON"),
        ("[]", "bundle.json:1: has to be a JSON object"),
    ],
)
def test_a_wrong_manifest_is_named_by_file_line_and_field(tmp_path, text, message):
    (tmp_path / "events.jsonl").write_text("")
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(BundleError) as caught:
        Bundle.open(tmp_path)
    assert message in str(caught.value)


def test_a_wrong_event_is_named_by_file_and_line(tmp_path):
    path = record_events(tmp_path / "b", [log(1), log(2)])
    with (path / "events.jsonl").open("a") as file:
        file.write('{"seq": "x"}\n')
    with pytest.raises(BundleError, match=r"events.jsonl:3: seq"):
        list(Bundle.open(path).events())


@pytest.mark.parametrize("missing", ["folder", "manifest", "events"])
def test_what_is_no_bundle_is_refused(tmp_path, missing):
    path = tmp_path / "b"
    if missing != "folder":
        path.mkdir()
    if missing == "events":
        (path / "bundle.json").write_text('{"version": 1}')
    with pytest.raises(BundleError):
        Bundle.open(path)


@pytest.mark.parametrize("name", NAMES)
def test_the_published_schemas_are_fresh(name):
    """`python -m agent_runtime.bundle.schemas docs/schemas` writes them."""
    assert (ROOT / "docs" / "schemas" / f"{name}.json").read_text(encoding="utf-8") == schema_text(name)


# --- secrets -----------------------------------------------------------------------------------------------------

SECRETS = {
    "environment": "env-secret-4711",
    "setting": 'set"ting-secret-4712',
    "argument": "argument-secret-4713",
    "nested": "nested-secret-4714",
    "shape": "sk-abcdefghijklmnopqrstuvwxyz",
    "dotenv": "dotenv-secret-4716",
    "url": "url-secret-4717",
}


def test_no_secret_is_written_wherever_it_stands(tmp_path):
    code = tmp_path / "code"
    code.mkdir()
    (code / "agent.py").write_text(f'KEY = "{SECRETS["environment"]}"\napi_key = "{SECRETS["argument"]}"\n')
    (code / ".env").write_text(f"MY_KEY={SECRETS['dotenv']}\n")
    (code / "server.pem").write_text(SECRETS["dotenv"])
    recorder = make_recorder(
        tmp_path / "b",
        scrubber=Scrubber([SECRETS["setting"]], {"WEATHER_API_KEY": SECRETS["environment"], "HOME": "/home"}),
        config={"openai": {"api_key": SECRETS["nested"]}, "base_url": f"https://me:{SECRETS['url']}@example.com/v1"},
    )
    tool = json.dumps({"city": "Oslo", "api_key": SECRETS["argument"], "auth": {"access_token": SECRETS["nested"]}})
    recorder.event(Event(1, 0.1, "s", None, None, ToolStarted("c", "weather", tool)))
    for number, message in enumerate((SECRETS["environment"], SECRETS["setting"], f"it is {SECRETS['shape']}"), 2):
        recorder.event(log(number, message))
    recorder.code(lambda: SourceTree.read(code / "agent.py", code.iterdir()), 0.0)
    assert recorder.close(10)
    written = {path.name: path.read_text() for path in (tmp_path / "b").rglob("*") if path.is_file()}
    for secret in SECRETS.values():
        assert not [name for name, text in written.items() if secret in text or json.dumps(secret)[1:-1] in text]
    assert set(written) == {"bundle.json", "config.json", "events.jsonl", "agent.py"}
    bundle = Bundle.open(tmp_path / "b")
    first, *rest = bundle.events()
    assert json.loads(first.data.arguments)["city"] == "Oslo"
    assert [event.data.message for event in rest] == ["********", "********", "it is ********"]


def test_each_version_of_the_code_is_kept(tmp_path):
    (tmp_path / "lib").mkdir()
    entry, helper = tmp_path / "agent.py", tmp_path / "lib" / "prompts.txt"
    recorder = make_recorder(tmp_path / "b")
    for text in ("one", "two"):
        entry.write_text(text)
        helper.write_text(f"{text} more")
        tree = SourceTree.read(entry, [helper, tmp_path / "gone.py"])
        recorder.code(lambda tree=tree: tree, 1.0)
    assert recorder.close(10)
    bundle = Bundle.open(tmp_path / "b")
    assert [(bundle.folder / copy.folder / copy.entry).read_text() for copy in bundle.code] == ["one", "two"]
    assert (bundle.folder / "agent" / "2" / "lib" / "prompts.txt").read_text() == "two more"


# --- turns -------------------------------------------------------------------------------------------------------


def test_turns_are_told_with_their_tools_and_answers():
    turn = recorded_turns(voice_turn().events)[1]
    assert (turn.user, turn.by, turn.number) == (QUESTION, "speech", 2)
    assert [(use.name, use.arguments["city"], use.output) for use in turn.tools] == [("get_weather", "Oslo", WEATHER)]
    assert turn.latency == pytest.approx(0.845, abs=0.001)


def test_an_interrupted_turn_says_so():
    assert [turn.interrupted for turn in recorded_turns(interrupted().events)] == [False, False, True, False]


def test_a_manifest_with_fields_of_a_later_version_is_read():
    assert Manifest.model_validate({"version": 1, "later": True}).version == 1
