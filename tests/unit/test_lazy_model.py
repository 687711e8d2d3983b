"""Models build their validators late, or all at once when they are told to."""

from __future__ import annotations

from agent_runtime.lazy_model import LazyModel, build_models


def test_a_model_is_built_when_it_is_used_or_when_all_are() -> None:
    class Waiting(LazyModel):
        text: str = ""

    class Child(Waiting):
        number: int = 0

    assert not Waiting.__pydantic_complete__
    assert Waiting(text="a").text == "a"
    assert Waiting.__pydantic_complete__
    assert not Child.__pydantic_complete__
    build_models()
    assert Child.__pydantic_complete__
    assert Child(number=1).model_dump() == {"text": "", "number": 1}
