"""Every event is the same after it was written and read."""

import typing

from hypothesis import given
from hypothesis import strategies as st

from agent_runtime.events import Event, EventData, codec

# Text that can be encoded: lone surrogates are replaced on purpose, and tested by example.
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)
floats = st.floats(allow_nan=False)
plain = st.recursive(
    # The integers of a JSON document that other languages read, too.
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


def data_of(kind: type) -> st.SearchStrategy[typing.Any]:
    """Any value of an event class, `type` left at its default."""
    hints = typing.get_type_hints(kind)
    del hints["type"]
    return st.builds(kind, **{name: value_of(hint) for name, hint in hints.items()})


def value_of(hint: typing.Any) -> st.SearchStrategy[typing.Any]:
    if hint is str:
        return texts
    if hint is float:
        return floats
    if hint is int:
        return st.integers(-(2**53), 2**53)
    if hint == dict[str, typing.Any]:
        return st.dictionaries(texts, plain, max_size=3)
    if typing.get_origin(hint) is typing.Union or type(hint).__name__ == "UnionType":
        return st.one_of([value_of(arm) for arm in typing.get_args(hint)])
    if typing.get_origin(hint) is tuple:
        return st.lists(value_of(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if hasattr(hint, "__dataclass_fields__"):
        return st.builds(hint, **{name: value_of(h) for name, h in typing.get_type_hints(hint).items()})
    return st.from_type(hint)


events = st.builds(
    Event,
    seq=st.integers(0, 2**53),
    time=st.floats(0, 1e9),
    session_id=texts,
    turn_id=st.none() | texts,
    cause=st.none() | texts,
    data=st.sampled_from(typing.get_args(EventData)).flatmap(data_of),
)


@given(events)
def test_what_is_written_is_read(event):
    line = codec.dumps(event)
    assert "\n" not in line
    assert codec.loads(line) == event


@given(st.sampled_from(typing.get_args(EventData)).flatmap(data_of))
def test_types_of_values_survive(data):
    read = codec.loads(codec.dumps(Event(1, 0.0, "s", None, None, data))).data
    assert type(read) is type(data)
    for name in type(data).__dataclass_fields__:
        assert type(getattr(read, name)) is type(getattr(data, name))


@given(st.binary() | st.text().map(str.encode) | events.map(codec.dumps).map(lambda line: line.encode()[:-3]))
def test_garbage_is_refused_with_one_kind_of_error(line):
    try:
        event = codec.loads(line)
    except codec.EventDecodeError:
        return
    assert codec.loads(codec.dumps(event)) == event
