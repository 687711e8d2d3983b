"""A record does all that `dataclass(frozen=True, slots=True)` does."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from pydantic import TypeAdapter

from agent_runtime.records import record


@record(frozen=True, slots=True)
class Word:
    """As a record."""

    text: str
    at: float = 0.0
    tags: list[str] = field(default_factory=list, compare=False, repr=False)
    before: Word | None = None


@record(frozen=True, slots=True)
class Nothing:
    """Without a field."""


@record(frozen=True, slots=True)
class One:
    """With one."""

    value: float


@record(frozen=True, slots=True)
class Even:
    """Checks itself."""

    number: int

    def __post_init__(self) -> None:
        if self.number % 2:
            raise ValueError("odd")


@record(frozen=True, slots=True)
class Named:
    """Shows itself its own way."""

    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


class Real:
    """The same classes, made by the standard library."""

    @dataclass(frozen=True, slots=True)
    class Word:
        text: str
        at: float = 0.0
        tags: list[str] = field(default_factory=list, compare=False, repr=False)
        before: Real.Word | None = None


def outcome(call: Callable[[], Any]) -> object:
    """What a call gives or raises, by name, where classes differ only by where they were made."""
    try:
        return repr(call()).replace("Real.", "")
    except Exception as exc:
        return type(exc).__name__


@pytest.mark.parametrize(
    "do",
    [
        lambda W: W("a"),
        lambda W: W("a", 1.0, ["x"], W("b")),
        lambda W: W(at=2.0, text="c"),
        lambda W: W(),
        lambda W: W("a", 1.0, [], None, 5),
        lambda W: W("a", nothing=1),
        lambda W: W("a") == W("a", tags=["other"]),
        lambda W: W("a") == W("b"),
        lambda W: W("a") == "a",
        lambda W: hash(W("a", 3.0)),
        lambda W: len({W("a"), W("a"), W("b")}),
        lambda W: setattr(W("a"), "text", "b"),
        lambda W: delattr(W("a"), "text"),
        lambda W: vars(W("a")),
        lambda W: dataclasses.asdict(W("a", before=W("b"))),
        lambda W: dataclasses.replace(W("a"), at=4.0),
        lambda W: [f.name for f in dataclasses.fields(W)],
        lambda W: copy.deepcopy(W("a", before=W("b"))),
        lambda W: W.__match_args__,
        lambda W: W.__dataclass_params__,
        lambda W: W.__slots__,
        lambda W: list(inspect.signature(W).parameters),
        lambda W: inspect.signature(W).parameters["text"].annotation,
        lambda W: W("a").tags is W("a").tags,
        lambda W: W < W,
    ],
)
def test_it_does_what_a_dataclass_does(do: Callable[[Any], Any]) -> None:
    assert outcome(lambda: do(Word)) == outcome(lambda: do(Real.Word))


def test_it_can_be_sent_to_another_process_and_checked_by_pydantic() -> None:
    word = Word("a", 1.0, ["x"], Word("b"))
    assert pickle.loads(pickle.dumps(word)) == word
    assert TypeAdapter(Word).validate_python({"text": "a", "at": "1", "before": {"text": "b"}}) == word


def test_values_that_equal_nothing_are_compared_as_a_dataclass_compares_them() -> None:
    nan = float("nan")
    assert One(nan) == One(nan)
    assert One(nan) != One(float("nan"))
    assert Nothing() == Nothing()
    assert hash(Nothing()) == hash(Nothing())
    assert repr(Nothing()) == "Nothing()"


def test_what_a_class_says_of_itself_stays() -> None:
    assert repr(Named("a")) == "<a>"
    assert Named("a") == Named("a")
    with pytest.raises(ValueError, match="odd"):
        Even(3)


def test_one_that_holds_itself_is_shown_once() -> None:
    tangled = Word("a", tags=[])
    tangled.tags.append("x")

    @record(frozen=True, slots=True)
    class Holder:
        held: list[Any]

    holder = Holder([])
    holder.held.append(holder)
    assert "..." in repr(holder)


def test_a_record_of_a_record_has_the_fields_of_both() -> None:
    @record(frozen=True, slots=True)
    class More(Word):
        more: int = 3

    assert More("a", 1.0).more == 3
    assert More("a") == More("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        More("a").more = 4  # type: ignore[misc]  # that is the point


def test_fields_that_cannot_be_are_refused() -> None:
    with pytest.raises(TypeError, match="Wrong: a field without a default"):

        @record(frozen=True, slots=True)
        class Wrong:
            first: int = 1
            second: str  # type: ignore[misc]  # that is the point

    with pytest.raises(TypeError, match="by position"):

        @record(frozen=True, slots=True)
        class Late:
            value: int = field(default=1, kw_only=True)

    with pytest.raises(TypeError, match="frozen and has slots"):
        record(frozen=False, slots=True)
