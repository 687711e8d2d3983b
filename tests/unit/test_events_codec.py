import json
import typing

import pytest

from agent_runtime.errors import EventDecodeError
from agent_runtime.events import AgentText, AudioMeter, Event, EventData, ItemAdded, LogWritten, TurnStarted, codec


def event(data, seq=1):
    return Event(seq, 0.25, "s1", "t1", "text", data)


def write(path, *lines):
    path.write_bytes(b"".join(line if isinstance(line, bytes) else line.encode() + b"\n" for line in lines))
    return path


def test_a_line_is_flat_json():
    assert json.loads(codec.dumps(event(TurnStarted(number=3)))) == {
        "seq": 1,
        "time": 0.25,
        "session_id": "s1",
        "turn_id": "t1",
        "cause": "text",
        "data": {"type": "turn_started", "number": 3},
    }


def test_silence_is_minus_infinity_and_still_json():
    silent = event(AudioMeter(float("-inf"), float("-inf"), -20.0, None, 0.5))
    line = codec.dumps(silent)
    json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} isn't JSON"))
    assert codec.loads(line) == silent


def test_broken_text_is_mended_rather_than_lost():
    line = codec.dumps(event(LogWritten("info", "tty", "caf\udce9 \U0001f600")))
    assert codec.loads(line).data.message == "caf\ufffd \U0001f600"


def test_what_is_not_plain_data_is_refused():
    with pytest.raises(ValueError, match="object"):
        codec.dumps(event(ItemAdded({"item": object()})))


def test_unknown_fields_are_ignored_and_missing_ones_get_their_default():
    line = json.loads(codec.dumps(event(AudioMeter(-1.0, -1.0, -1.0, 0.1, 0.5))))
    line["data"]["new_in_a_later_version"] = 1
    line["later_too"] = 2
    del line["data"]["clipped"]
    assert codec.loads(json.dumps(line)).data == AudioMeter(-1.0, -1.0, -1.0, 0.1, 0.5, clipped=False)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "Invalid JSON"),
        ("[]", "should be an object"),
        ('{"seq": 1}', "time: Field required"),
        (
            '{"seq":1,"time":0,"session_id":"s","turn_id":null,"cause":null,"data":{"type":"rang"}}',
            "the event type 'rang' isn't known",
        ),
        (
            '{"seq":1,"time":0,"session_id":"s","turn_id":null,"cause":null,"data":{"type":"turn_started","number":"x"}}',
            "data.turn_started.number: Input should be a valid integer",
        ),
    ],
)
def test_a_bad_line_says_what_is_wrong(line, problem):
    with pytest.raises(EventDecodeError, match=problem):
        codec.loads(line)


def test_read_events(tmp_path):
    events = [event(AgentText("sp", "it", word), seq) for seq, word in enumerate(("one", "two", "drei\u2028"), start=1)]
    path = write(tmp_path / "events.jsonl", codec.dumps(events[0]), "", *map(codec.dumps, events[1:]))
    assert list(codec.read_events(path)) == events


def test_read_events_names_the_bad_line(tmp_path):
    path = write(
        tmp_path / "events.jsonl", codec.dumps(event(TurnStarted(1))), "{}", codec.dumps(event(TurnStarted(2)))
    )
    reader = codec.read_events(path)
    assert next(reader).data == TurnStarted(1)
    with pytest.raises(EventDecodeError, match=r"events\.jsonl:2: not an event: seq: Field required") as caught:
        next(reader)
    assert (caught.value.path, caught.value.line) == (str(path), 2)


def test_what_a_killed_process_was_writing_is_left_out(tmp_path, caplog):
    whole, cut = codec.dumps(event(TurnStarted(1))), codec.dumps(event(TurnStarted(2)))
    path = write(tmp_path / "events.jsonl", whole, cut[:40].encode())
    assert [e.data for e in codec.read_events(path)] == [TurnStarted(1)]
    assert "events.jsonl:2: the last event is cut off" in caplog.text


def test_a_whole_last_line_needs_no_newline(tmp_path):
    path = write(tmp_path / "events.jsonl", codec.dumps(event(TurnStarted(1))).encode())
    assert [e.data for e in codec.read_events(path)] == [TurnStarted(1)]


def test_a_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(codec.read_events(tmp_path / "none.jsonl"))


def test_the_schema_knows_every_event():
    types = {kind.__dataclass_fields__["type"].default for kind in typing.get_args(EventData)}
    assert set(codec.schema()["properties"]["data"]["discriminator"]["mapping"]) == types


def test_every_event_class_is_exported():
    import agent_runtime.events as events

    assert {kind.__name__ for kind in typing.get_args(EventData)} <= set(events.__all__)
