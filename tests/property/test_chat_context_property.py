"""Whatever a conversation is made of, what is kept of it and what vendors get holds together."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.llm import ChatContext, ChatMessage, FunctionCall, FunctionCallOutput

texts = st.text(max_size=5)
times = st.floats(0, 100)
call_ids = st.sampled_from([f"c{n}" for n in range(5)])
messages = st.builds(
    ChatMessage,
    role=st.sampled_from(["system", "developer", "user", "assistant"]),
    content=st.lists(texts, max_size=2),
    created_at=times,
)
calls = st.builds(
    FunctionCall,
    call_id=call_ids,
    name=texts,
    arguments=texts | st.just('{"a": 1}'),
    group_id=st.none() | st.just("g"),
    created_at=times,
)
outputs = st.builds(FunctionCallOutput, call_id=call_ids, output=texts, is_error=st.booleans(), created_at=times)
contexts = st.lists(messages | calls | outputs, max_size=12).map(ChatContext)


@given(contexts)
def test_inserting_sorts_by_time_and_keeps_the_order_within_it(context):
    ordered = ChatContext()
    ordered.insert(context.items)
    assert ordered.items == sorted(context.items, key=lambda item: item.created_at)


@given(contexts, st.integers(0, 12))
def test_truncating(context, max_items):
    before = list(context.items)
    context.truncate(max_items=max_items)
    kept = [item for item in before if any(item is other for other in context.items)]
    assert all(a is b for a, b in zip(kept, context.items, strict=True))
    if len(before) <= max_items:
        assert context.items == before
        return
    assert len(context.items) <= max_items + 1
    called = {item.call_id for item in context.items if isinstance(item, FunctionCall)}
    assert all(item.call_id in called for item in context.items if isinstance(item, FunctionCallOutput))
    instructions = [item for item in before if getattr(item, "role", "") in ("system", "developer")]
    assert not instructions or instructions[0] in context.items


@given(contexts, contexts)
def test_merging(context, other):
    expected = {item.id for item in [*context.items, *other.items]}
    merged = context.copy().merge(other)
    assert {item.id for item in merged.items} == expected
    assert len(merged.items) == len(expected)


@given(contexts)
def test_plain_data(context):
    data = json.loads(json.dumps(context.to_dict(exclude_timestamp=False)))
    again = ChatContext.from_dict(data)
    assert again.items == context.items
    assert again.is_equivalent(context)


@given(contexts)
def test_openai_takes_it(context):
    open_calls = []
    for message in context.to_provider_format("openai")[0]:
        if message["role"] == "tool":
            assert message["tool_call_id"] == open_calls.pop(0)
            continue
        assert not open_calls
        open_calls = [call["id"] for call in message.get("tool_calls", ())]
        assert "content" in message or open_calls
    assert not open_calls


@given(contexts)
def test_anthropic_takes_it(context):
    converted, _ = context.to_provider_format("anthropic")
    roles = [message["role"] for message in converted]
    assert roles[0] == "user"
    assert all(a != b for a, b in itertools.pairwise(roles))
    for message, following in zip(converted, [*converted[1:], {"content": []}], strict=True):
        used = [block["id"] for block in message["content"] if block["type"] == "tool_use"]
        answered = [block["tool_use_id"] for block in following["content"] if block["type"] == "tool_result"]
        assert message["content"]
        assert sorted(used) == sorted(answered)


@given(contexts)
def test_google_takes_it(context):
    turns, _ = context.to_provider_format("google")
    assert turns[-1]["role"] == "user"
    assert all(turn["parts"] for turn in turns)
    used = [part["function_call"]["id"] for turn in turns for part in turn["parts"] if "function_call" in part]
    answered = [part["function_response"]["id"] for t in turns for part in t["parts"] if "function_response" in part]
    assert sorted(used) == sorted(answered)
    assert all(
        len({"function_response" in part for part in turn["parts"]}) == 1 for turn in turns if turn["role"] == "user"
    )
