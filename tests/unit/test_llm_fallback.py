import asyncio

import pytest

from agent_runtime.errors import APIConnectionError, APIStatusError
from agent_runtime.llm import ChatContext, FallbackAdapter
from agent_runtime.testing.virtual_time import run_virtual
from agent_runtime.types import APIConnectOptions
from tests.support.fake_llm import FakeLLM, call, record, text, usage

DOWN = APIStatusError("overloaded", status_code=503)


def now():
    return asyncio.get_running_loop().time()


async def ask(adapter, **options):
    answer = await adapter.chat(chat_ctx=ChatContext.empty(), **options).collect()
    return answer.text


def run(adapter, main):
    async def closing():
        try:
            return await main()
        finally:
            await adapter.aclose()

    return run_virtual(closing())


def test_the_first_model_answers():
    first, second = FakeLLM([text("one")], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    assert run(adapter, lambda: ask(adapter, tool_choice="none", extra_kwargs={"seed": 1})) == "one"
    assert second.started_at == []
    (request,) = first.requests
    assert (request["tool_choice"], request["extra_kwargs"]) == ("none", {"seed": 1})
    assert request["conn_options"] == APIConnectOptions(max_retry=0, timeout=5.0, retry_interval=0.5)


def test_the_next_one_answers_when_it_fails_and_it_is_told():
    first, second = FakeLLM([DOWN], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    changes = record(adapter, "llm_availability_changed")
    assert run(adapter, lambda: ask(adapter)) == "two"
    assert [(change.llm, change.available) for change in changes] == [(first, False)]
    assert (adapter.model, adapter.metrics_metadata["model_name"]) == ("second", "second")


def test_tools_are_passed_on():
    first = FakeLLM([text("one")], name="first")
    seen = []
    adapter = FallbackAdapter([first])

    async def main():
        async with adapter.chat(chat_ctx=ChatContext.empty(), tools=["a tool"]) as stream:
            seen.append(stream.tools)
            await anext(stream)

    run(adapter, main)
    assert seen == [["a tool"]]
    assert first.offered == [["a tool"]]


def test_a_model_that_is_down_is_skipped_without_a_wait():
    first, second = FakeLLM([5.0, DOWN], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    waited = []

    async def main():
        for _ in range(3):
            began = now()
            await ask(adapter)
            waited.append(now() - began)

    run(adapter, main)
    assert waited == pytest.approx([5.0, 0.0, 0.0])


def test_a_silent_model_is_left_after_the_attempt_timeout():
    first, second = FakeLLM([3600.0], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second], attempt_timeout=2.0)

    async def main():
        return await ask(adapter), now()

    assert run(adapter, main) == ("two", 2.0)


def test_retries_of_a_model_come_before_the_next_one():
    first, second = FakeLLM([DOWN], [DOWN], [text("one")], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second], max_retry_per_llm=2)
    assert run(adapter, lambda: ask(adapter)) == "one"
    assert first.started_at == pytest.approx([0.0, 0.1, 0.6])


def test_it_comes_back_when_the_probe_is_answered():
    first, second = FakeLLM([DOWN], [1.0, text("one")], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    changes = record(adapter, "llm_availability_changed")

    async def main():
        answers = [await ask(adapter), await ask(adapter)]
        await asyncio.sleep(2.0)
        return [*answers, await ask(adapter)]

    assert run(adapter, main) == ["two", "two", "one"]
    assert [(change.llm.label, change.available) for change in changes] == [("first", False), ("first", True)]


def test_failing_probes_become_rare():
    first, second = FakeLLM([DOWN], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])

    async def main():
        for _ in range(100):
            await ask(adapter)
            await asyncio.sleep(1.0)

    run(adapter, main)
    # The request itself, a probe right after it, then after 1, 2, 4, 8, 16, 30 and 30 s.
    assert first.started_at == pytest.approx([0.0, 0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 61.0, 91.0])


def test_a_failure_in_mid_answer_is_not_continued_by_another_model():
    first, second = FakeLLM([text("The answer"), DOWN], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    with pytest.raises(APIStatusError, match="overloaded"):
        run(adapter, lambda: ask(adapter, conn_options=APIConnectOptions(max_retry=3)))
    assert second.started_at == []


def test_a_model_that_stalls_in_mid_answer_fails():
    first, second = FakeLLM([call("pay"), 3600.0], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    with pytest.raises(APIConnectionError, match="first sent nothing for 5 s"):
        run(adapter, lambda: ask(adapter))


def test_retry_on_chunk_sent():
    first, second = FakeLLM([text("The answer"), DOWN], name="first"), FakeLLM([text(" is two")], name="second")
    adapter = FallbackAdapter([first, second], retry_on_chunk_sent=True)
    assert run(adapter, lambda: ask(adapter)) == "The answer is two"


def test_when_all_are_down_each_is_asked_and_the_error_names_them():
    first, second = FakeLLM([DOWN], name="first"), FakeLLM([APIConnectionError("refused")], [DOWN], name="second")
    adapter = FallbackAdapter([first, second])
    errors = record(adapter, "error")

    async def main():
        with pytest.raises(APIConnectionError, match=r"first: overloaded \(status 503\); second: refused"):
            await ask(adapter)
        await asyncio.sleep(0.5)
        first.attempts = [[text("one")]]
        return await ask(adapter)

    assert run(adapter, main) == "one"
    assert [error.recoverable for error in errors] == [False]


def test_the_whole_list_is_tried_again_as_the_session_wants():
    first, second = FakeLLM([DOWN], name="first"), FakeLLM([DOWN], [DOWN], [text("two")], name="second")
    adapter = FallbackAdapter([first, second])
    assert run(adapter, lambda: ask(adapter, conn_options=APIConnectOptions(max_retry=1))) == "two"


def test_sticky_stays_with_the_model_that_works():
    first, second = FakeLLM([DOWN], [text("one")], name="first"), FakeLLM([text("two")], [DOWN], name="second")
    adapter = FallbackAdapter([first, second], sticky=True)

    async def main():
        answers = [await ask(adapter)]
        await asyncio.sleep(1.0)
        return [*answers, await ask(adapter)]

    assert run(adapter, main) == ["two", "one"]
    assert len(second.started_at) >= 2


def test_metrics_are_those_of_the_model_that_answered():
    first, second = FakeLLM([DOWN], name="first"), FakeLLM([text("two"), usage()], name="second")
    adapter = FallbackAdapter([first, second])
    metrics = record(adapter, "metrics_collected")
    run(adapter, lambda: ask(adapter))
    assert [m.label for m in metrics] == ["second"]


def test_closing_ends_the_probes():
    first, second = FakeLLM([DOWN], [3600.0], name="first"), FakeLLM([text("two")], name="second")
    adapter = FallbackAdapter([first, second], attempt_timeout=7200.0)
    run(adapter, lambda: ask(adapter))  # run_virtual checks that no task is left
    assert len(first.started_at) == 2
    assert adapter._members[0].breaker.state == "open"  # not half open for ever, should it be used again


def test_closing_the_stream_cancels_the_model():
    first = FakeLLM([text("one"), 3600.0], name="first")
    adapter = FallbackAdapter([first], attempt_timeout=7200.0)

    async def main():
        stream = adapter.chat(chat_ctx=ChatContext.empty())
        assert await anext(stream) == text("one")
        await stream.aclose()
        return now()

    assert run(adapter, main) == 0.0
    assert first.seen["metrics_collected"][0].cancelled
    assert adapter.model == "first"


def test_prewarm_is_for_the_first():
    class Warm(FakeLLM):
        warmed = False

        async def _prewarm_impl(self):
            self.warmed = True

    first, second = Warm([text("one")]), Warm([text("two")])
    adapter = FallbackAdapter([first, second])

    async def main():
        adapter.prewarm()
        await asyncio.sleep(0.1)
        await first.aclose()

    run(adapter, main)
    assert (first.warmed, second.warmed) == (True, False)


def test_it_needs_a_model():
    with pytest.raises(ValueError, match="at least one LLM"):
        FallbackAdapter([])
