import json
import subprocess
import sys

import pytest
from livekit.protocol.agent_pb import agent_session
from pydantic import ValidationError

from agent_runtime.llm import (
    AgentConfigUpdate,
    AgentHandoff,
    AudioContent,
    CacheBreakpoint,
    ChatContext,
    ChatMessage,
    FunctionCall,
    FunctionCallOutput,
    ImageContent,
    Instructions,
    ReadOnlyChatContext,
    Toolset,
    function_tool,
    utils,
)


def message(text, at=0.0, *, role="user", id=None):
    return ChatMessage(id=id or text, role=role, content=[text], created_at=at)


def call(call_id, at=0.0, *, name="f"):
    return FunctionCall(id=f"item_{call_id}", call_id=call_id, name=name, arguments="{}", created_at=at)


def output(call_id, at=0.0, *, name="f"):
    return FunctionCallOutput(
        id=f"item_{call_id}_out", call_id=call_id, name=name, output="ok", is_error=False, created_at=at
    )


def ids(context):
    return [item.id for item in context.items]


# --- items ----------------------------------------------------------------------------------------------------------


def test_a_message():
    context = ChatContext.empty()
    item = context.add_message(role="assistant", content="Hi", interrupted=True, metrics={"llm_node_ttft": 0.1})
    assert item.id.startswith("item_")
    assert (item.text_content, item.interrupted, item.metrics) == ("Hi", True, {"llm_node_ttft": 0.1})
    assert context.items == [item]
    assert context.messages() == [item]


def test_text_content_joins_lines():
    image = ImageContent(image="https://example.com/cat.png")
    assert ChatMessage(role="user", content=["a", image, "b"]).text_content == "a\nb"
    assert ChatMessage(role="user", content=[image]).text_content is None


def test_ids_and_times_differ():
    items = [ChatMessage(role="user", content=[]) for _ in range(100)]
    assert len({item.id for item in items}) == 100
    assert all(abs(item.created_at - items[0].created_at) < 10 for item in items)


@pytest.mark.parametrize(
    "item",
    [
        {"type": "message", "role": "robot", "content": []},
        {"type": "message", "role": "user", "content": [{}]},
        {"type": "message", "role": "user", "content": [{"type": "cache_breakpoint", "more": 1}]},
        {"type": "function_call", "name": "f"},
        {"type": "nonsense"},
        {},
    ],
)
def test_bad_items_are_refused(item):
    with pytest.raises(ValidationError):
        ChatContext.from_dict({"items": [item]})


# --- order ----------------------------------------------------------------------------------------------------------


def test_insert_keeps_the_order_of_time():
    context = ChatContext([message("b", 2.0)])
    context.insert([message("c", 3.0), message("a", 1.0)])
    context.insert(message("b2", 2.0))
    assert ids(context) == ["a", "b", "b2", "c"]


def test_a_message_with_a_time_goes_where_it_belongs():
    context = ChatContext([message("a", 1.0), message("c", 3.0)])
    context.add_message(role="user", content="b", id="b", created_at=2.0)
    context.add_message(role="user", content="last", id="last")
    assert ids(context) == ["a", "b", "c", "last"]


def test_find_and_remove():
    a, b = message("a"), message("b")
    context = ChatContext([a, b])
    assert context.get_by_id("b") is b
    assert context.index_by_id("a") == 0
    assert (context.get_by_id("x"), context.index_by_id("x")) == (None, None)
    context.remove("a")
    context.remove(b)
    assert context.items == []
    with pytest.raises(ValueError, match="no item 'a'"):
        context.remove("a")


def test_items_can_be_replaced():
    context = ChatContext()
    context.items = [message("a")]
    assert ids(context) == ["a"]
    assert not context.readonly


# --- copies ---------------------------------------------------------------------------------------------------------


def everything():
    return ChatContext(
        [
            message("sys", role="system"),
            message("dev", role="developer"),
            message("hi"),
            ChatMessage(id="empty", role="assistant", content=[]),
            call("c1", name="f"),
            call("c2", name="g"),
            output("c1", name="f"),
            output("c2", name=""),
            AgentHandoff(id="handoff", new_agent_id="b"),
            AgentConfigUpdate(id="config", instructions="new"),
        ]
    )


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ({}, set()),
        ({"exclude_function_call": True}, {"item_c1", "item_c2", "item_c1_out", "item_c2_out"}),
        ({"exclude_instructions": True}, {"sys", "dev"}),
        ({"exclude_empty_message": True}, {"empty"}),
        ({"exclude_handoff": True}, {"handoff"}),
        ({"exclude_config_update": True}, {"config"}),
        ({"tools": ["g"]}, {"item_c1", "item_c1_out"}),
        ({"tools": []}, {"item_c1", "item_c2", "item_c1_out", "item_c2_out"}),
    ],
)
def test_copy(options, gone):
    context = everything()
    copy = context.copy(**options)
    assert ids(copy) == [item for item in ids(context) if item not in gone]
    copy.items.clear()
    assert len(context.items) == 10


def test_copy_for_tools_and_toolsets():
    @function_tool
    async def f() -> None:
        """Do f."""

    @function_tool
    async def g() -> None:
        """Do g."""

    assert ids(everything().copy(tools=[Toolset(id="set", tools=[g])]))[4:6] == ["item_c2", "item_c2_out"]
    assert ids(everything().copy(tools=[f]))[4:6] == ["item_c1", "item_c1_out"]


def test_a_copy_shares_its_items():
    context = everything()
    assert all(a is b for a, b in zip(context.items, context.copy().items, strict=True))


# --- truncate -------------------------------------------------------------------------------------------------------


def test_truncate_keeps_the_end_and_the_instructions():
    context = ChatContext([message("sys", role="system"), *(message(str(n)) for n in range(5))])
    assert context.truncate(max_items=2) is context
    assert ids(context) == ["sys", "3", "4"]


def test_truncate_to_nothing_keeps_the_instructions():
    assert ids(ChatContext([message("a"), message("sys", role="system"), message("b")]).truncate(max_items=0)) == [
        "sys"
    ]
    assert ids(ChatContext([message("a")]).truncate(max_items=0)) == []


def test_truncate_keeps_the_dynamic_instructions_too():
    dynamic = message("now", role="system", id="lk.agent_task.instructions.dynamic")
    context = ChatContext([message("sys", role="system"), dynamic, message("a"), message("b")])
    assert ids(context.truncate(max_items=1)) == ["sys", dynamic.id, "b"]


def test_truncate_does_not_start_with_a_call_or_an_output():
    context = ChatContext([message("a"), call("c1"), output("c1"), message("b")])
    assert ids(context.truncate(max_items=3)) == ["b"]


def test_truncate_orphans_no_output():
    context = ChatContext([call("c1"), message("waiting"), output("c1"), message("b")])
    assert ids(context.truncate(max_items=3)) == ["waiting", "b"]


def test_truncate_leaves_short_contexts_alone():
    context = ChatContext([call("c1"), output("c1")])
    assert ids(context.truncate(max_items=2)) == ["item_c1", "item_c1_out"]


def test_truncate_wants_a_number_of_items():
    with pytest.raises(ValueError, match="max_items is -1"):
        ChatContext().truncate(max_items=-1)


# --- merge ----------------------------------------------------------------------------------------------------------


def test_merge():
    context = ChatContext([message("a", 1.0), message("c", 3.0)])
    other = ChatContext([message("a", 9.0), message("b", 2.0), message("d", 4.0)])
    assert context.merge(other) is context
    assert ids(context) == ["a", "b", "c", "d"]
    assert context.items[0].created_at == 1.0
    assert ids(other) == ["a", "b", "d"]


def test_merge_excludes():
    context = ChatContext().merge(
        everything(), exclude_function_call=True, exclude_instructions=True, exclude_config_update=True
    )
    assert ids(context) == ["hi", "empty", "handoff"]


# --- sameness -------------------------------------------------------------------------------------------------------


def test_is_equivalent():
    context = everything()
    assert context.is_equivalent(context)
    again = ChatContext.from_dict(context.to_dict())  # without times
    assert context.is_equivalent(again)
    assert not context.is_equivalent(ChatContext(context.items[:-1]))


@pytest.mark.parametrize(
    ("index", "change"),
    [
        (2, {"content": ["hello"]}),
        (2, {"role": "assistant"}),
        (2, {"interrupted": True}),
        (2, {"id": "x"}),
        (4, {"arguments": "[]"}),
        (4, {"name": "h"}),
        (6, {"output": "no"}),
        (6, {"is_error": True}),
    ],
)
def test_what_makes_a_difference(index, change):
    context = everything()
    items = list(context.items)
    items[index] = items[index].model_copy(update=change)
    assert not context.is_equivalent(ChatContext(items))


def test_what_makes_none():
    context = everything()
    items = [item.model_copy(update={"created_at": 5.0}) for item in context.items]
    items[2] = items[2].model_copy(update={"metrics": {"e2e_latency": 1.0}})
    assert context.is_equivalent(ChatContext(items))


# --- plain data -----------------------------------------------------------------------------------------------------


def test_plain_data_and_back():
    context = everything()
    context.add_message(role="user", content=["look", ImageContent(image="https://x/y.png"), CacheBreakpoint()])
    data = json.loads(json.dumps(context.to_dict(exclude_timestamp=False, exclude_image=False, exclude_audio=False)))
    again = ChatContext.from_dict(data)
    assert again.items == context.items
    assert [type(item) for item in again.items] == [type(item) for item in context.items]


def test_what_plain_data_leaves_out():
    context = ChatContext([call("c1"), output("c1"), AgentConfigUpdate(instructions="x")])
    image, audio = ImageContent(image="https://x/y.png"), AudioContent(frame=[], transcript="hm")
    context.add_message(role="user", content=["a", image, audio], metrics={"e2e_latency": 1.0})
    short = context.to_dict(exclude_function_call=True, exclude_config_update=True, exclude_metrics=True)
    assert [item["type"] for item in short["items"]] == ["message"]
    assert short["items"][0]["content"] == ["a"]
    assert not {"created_at", "metrics"} & short["items"][0].keys()
    assert context.messages()[0].content == ["a", image, audio]
    full = context.to_dict(exclude_image=False, exclude_audio=False, exclude_timestamp=False)
    assert [part if isinstance(part, str) else part["type"] for part in full["items"][-1]["content"]] == [
        "a",
        "image_content",
        "audio_content",
    ]
    assert full["items"][-1]["metrics"] == {"e2e_latency": 1.0}


def test_frames_as_plain_data():
    from livekit.rtc import AudioFrame, VideoBufferType, VideoFrame

    audio = AudioFrame(data=b"\x01\x00" * 160, sample_rate=16000, num_channels=1, samples_per_channel=160)
    video = VideoFrame(width=2, height=2, type=VideoBufferType.RGBA, data=b"\x07" * 16)
    context = ChatContext()
    context.add_message(role="user", content=[AudioContent(frame=[audio]), ImageContent(image=video)])
    data = json.loads(json.dumps(context.to_dict(exclude_image=False, exclude_audio=False)))
    heard, seen = ChatContext.from_dict(data).messages()[0].content
    assert (bytes(heard.frame[0].data), heard.frame[0].sample_rate) == (bytes(audio.data), 16000)
    assert (bytes(seen.image.data), seen.image.width) == (b"\x07" * 16, 2)


def test_what_is_no_frame_is_refused():
    with pytest.raises(ValidationError):
        ImageContent(image=7)
    with pytest.raises(ValidationError):
        AudioContent(frame=["noise"])


def test_text_needs_no_native_library():
    code = (
        "import sys; from agent_runtime.llm import ChatContext; c = ChatContext();"
        "c.add_message(role='user', content='hi'); ChatContext.from_dict(c.to_dict()); c.to_provider_format('openai');"
        "assert not {'livekit.rtc', 'openai', 'numpy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- read-only ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.add_message(role="user", content="x"),
        lambda c: c.insert(message("x")),
        lambda c: c.remove("a"),
        lambda c: c.truncate(max_items=0),
        lambda c: c.merge(everything()),
        lambda c: c.items.append(message("x")),
        lambda c: c.items.extend([message("x")]),
        lambda c: c.items.clear(),
        lambda c: c.items.pop(),
        lambda c: c.items.sort(key=id),
        lambda c: c.items.reverse(),
        lambda c: c.items.__setitem__(0, message("x")),
        lambda c: c.items.__delitem__(0),
        lambda c: c.items.__iadd__([message("x")]),
        lambda c: c.items.__imul__(2),
        lambda c: setattr(c, "items", []),
    ],
)
def test_a_read_only_context_cannot_be_changed(change):
    context = ReadOnlyChatContext([message("a")])
    with pytest.raises(RuntimeError, match=r"read-only: change a `\.copy\(\)`"):
        change(context)
    assert context.readonly
    assert ids(context) == ["a"]


def test_a_read_only_context_is_a_snapshot_whose_copy_can_be_changed():
    context = ChatContext([message("a")])
    snapshot = ReadOnlyChatContext(context.items)
    context.insert(message("b"))
    copy = snapshot.copy()
    copy.insert(message("c"))
    assert (ids(snapshot), ids(copy), copy.readonly) == (["a"], ["a", "c"], False)
    assert type(snapshot.items.copy()) is list
    assert snapshot.is_equivalent(ChatContext([message("a")]))


# --- instructions ---------------------------------------------------------------------------------------------------


def test_instructions_by_modality():
    instructions = Instructions("Be kind.", audio="Be short.", text="Use lists.", dynamic="It is noon.")
    assert instructions.render() == "Be kind.\nIt is noon."
    assert instructions.render(modality="audio") == "Be kind.\n\nBe short.\nIt is noon."
    assert instructions.render_static(modality="text") == "Be kind.\n\nUse lists."
    assert str(instructions) == "Be kind."


def test_instructions_with_placeholders(caplog):
    instructions = Instructions("{user.name} has {count:03d} {missing.thing}{none}.")
    data = {"user": {"name": "Ada"}, "count": 7, "none": None}
    assert instructions.render(data=data) == "Ada has 007 ."
    assert "{missing.thing} has no value; known are: user, count, none" in caplog.text
    assert Instructions("{not filled}").render() == "{not filled}"


def test_instructions_in_a_template():
    style = Instructions("Speak.", audio="Speak softly.")
    result = Instructions.resolve_template("You are {name}. {style}", name="Ada", style=style)
    assert result.render(modality="audio") == "You are Ada. Speak softly."
    assert result.render(modality="text") == "You are Ada. Speak."
    assert Instructions.resolve_template("Hi {name}", name="Ada") == Instructions("Hi Ada")


def test_instructions_are_equal_to_their_text_if_that_is_all():
    assert Instructions("a") == "a"
    assert Instructions("a", audio="b") != "a"
    assert Instructions("a", audio="b") == Instructions("a", audio="b")
    assert len({Instructions("a"), Instructions("a"), Instructions("b")}) == 2
    assert Instructions("a") != 1


def test_a_message_of_instructions():
    context = ChatContext()
    context.add_message(role="system", content=Instructions("Be kind.", dynamic="It is noon."))
    assert context.messages()[0].text_content == "Be kind.\nIt is noon."


# --- differences ----------------------------------------------------------------------------------------------------


def test_diff():
    old = ChatContext([message("a"), message("b"), message("c")])
    new = ChatContext([message("x"), message("a"), message("changed", id="c"), message("d")])
    diff = utils.compute_chat_ctx_diff(old, new)
    assert diff.to_remove == ["b"]
    assert diff.to_create == [(None, "x"), ("c", "d")]
    assert diff.to_update == [("a", "c")]


def test_diff_of_an_item_that_moved():
    old, new = ChatContext([message("a"), message("b")]), ChatContext([message("b"), message("a")])
    diff = utils.compute_chat_ctx_diff(old, new)
    assert diff.to_remove == [item for _, item in diff.to_create]
    assert len(diff.to_remove) == 1


def test_to_proto_has_what_the_protocol_has_fields_for() -> None:
    context = ChatContext.empty()
    said = context.add_message(role="assistant", content=["Soup.", "Bread."], created_at=12.5)
    said.metrics = {"e2e_latency": 0.5, "started_speaking_at": 12.75}
    said.extra = {"mood": {"happy": True}}
    call = FunctionCall(call_id="call_1", name="order", arguments="{}", created_at=13.0)
    output = FunctionCallOutput(call_id="call_1", name="order", output="done", is_error=False, created_at=14.0)
    handoff = AgentHandoff(new_agent_id="waiter", created_at=15.0)
    update = AgentConfigUpdate(instructions="Serve.", tools_added=["order"], created_at=16.0)
    for item in (call, output, handoff, update):
        context.insert(item)
    message, called, returned, handed, updated = context.to_proto().items
    assert [part.text for part in message.message.content] == ["Soup.", "Bread."]
    assert (message.message.role, message.message.id) == (agent_session.ASSISTANT, said.id)
    assert message.message.created_at.ToMilliseconds() == 12500
    assert message.message.metrics.e2e_latency == 0.5
    assert message.message.metrics.started_speaking_at.ToMilliseconds() == 12750
    assert dict(message.message.extra) == {"mood": "{'happy': True}"}
    assert not message.message.HasField("transcript_confidence")
    assert (called.function_call.name, returned.function_call_output.output) == ("order", "done")
    assert (handed.agent_handoff.new_agent_id, handed.agent_handoff.HasField("old_agent_id")) == ("waiter", False)
    assert (updated.agent_config_update.instructions, list(updated.agent_config_update.tools_added)) == (
        "Serve.",
        ["order"],
    )
