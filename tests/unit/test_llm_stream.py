import asyncio

import pytest

from agent_runtime.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from agent_runtime.llm import ChatContext, LLMStream
from agent_runtime.testing.virtual_time import run_virtual
from agent_runtime.types import APIConnectOptions
from tests.support.fake_llm import USAGE, FakeLLM, call, text, usage


def collect(llm, **options):
    async def main():
        return await llm.ask(**options).collect()

    return run_virtual(main())


def test_an_answer_in_chunks():
    async def main():
        async with FakeLLM([text("Hel"), 1.0, text("lo"), usage()]).ask() as stream:
            return [chunk async for chunk in stream]

    assert run_virtual(main()) == [text("Hel"), text("lo"), usage()]


def test_collect():
    response = collect(FakeLLM([text(" It is"), call("weather", '{"city": "Oslo"}'), text(" cold. "), usage()]))
    assert response.text == "It is cold."
    assert [(c.name, c.arguments, c.call_id) for c in response.tool_calls] == [("weather", '{"city": "Oslo"}', "c1")]
    assert response.usage == USAGE


def test_only_the_text():
    async def main():
        return [
            part async for part in FakeLLM([text("a"), call("t"), text(""), text("b"), usage()]).ask().to_str_iterable()
        ]

    assert run_virtual(main()) == ["a", "b"]


def test_metrics():
    llm = FakeLLM([0.2, text(""), 0.3, text("Hi"), 0.5, usage()])
    collect(llm)
    (metrics,) = llm.seen["metrics_collected"]
    assert metrics.ttft == pytest.approx(0.5)
    assert metrics.duration == pytest.approx(1.0)
    assert metrics.tokens_per_second == pytest.approx(10.0)
    assert (metrics.prompt_tokens, metrics.completion_tokens, metrics.prompt_cached_tokens) == (7, 10, 3)
    assert (metrics.request_id, metrics.cancelled, metrics.label) == ("r1", False, "fake")
    assert metrics.metadata.model_name == "fake"


def test_metrics_are_out_before_the_iteration_ends():
    llm = FakeLLM([text("Hi")])

    async def main():
        async for _ in llm.ask():
            pass
        return len(llm.seen["metrics_collected"])

    assert run_virtual(main()) == 1


def test_a_tool_call_is_a_first_token_too():
    llm = FakeLLM([0.2, call("weather"), 0.5, text("Hi")])
    collect(llm)
    assert llm.seen["metrics_collected"][0].ttft == pytest.approx(0.2)


def test_usage_alone_has_no_first_token():
    llm = FakeLLM([0.2, usage()])
    collect(llm)
    assert llm.seen["metrics_collected"][0].ttft == -1.0


def test_retries_come_after_a_tenth_of_a_second_and_then_the_interval():
    llm = FakeLLM(
        [APIConnectionError("no")], [APITimeoutError()], [APIStatusError("busy", status_code=503)], [text("ok")]
    )
    assert collect(llm).text == "ok"
    assert llm.started_at == pytest.approx([0.0, 0.1, 2.1, 4.1])
    assert [error.recoverable for error in llm.seen["error"]] == [True, True, True]
    assert len(llm.seen["metrics_collected"]) == 1


def test_it_gives_up_after_the_last_retry():
    llm = FakeLLM([APIConnectionError("connection refused")])
    with pytest.raises(APIConnectionError, match="fake failed 3 times: connection refused") as caught:
        collect(llm, conn_options=APIConnectOptions(max_retry=2, retry_interval=0.5))
    assert isinstance(caught.value.__cause__, APIConnectionError)
    assert llm.started_at == pytest.approx([0.0, 0.1, 0.6])
    assert [error.recoverable for error in llm.seen["error"]] == [True, True, False]
    assert llm.seen["metrics_collected"] == []


@pytest.mark.parametrize(
    "error",
    [
        APIStatusError("bad key", status_code=401),
        APIStatusError("bad key", status_code=401, retryable=True),  # as packages say that look at the answer alone
        APIError("refused", retryable=False),
        ValueError("a bug"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_will_not_get_better_is_raised_at_once(error):
    llm = FakeLLM([error])
    with pytest.raises(type(error)) as caught:
        collect(llm)
    assert caught.value is error
    assert len(llm.started_at) == 1
    assert [(e.error, e.recoverable, e.label) for e in llm.seen["error"]] == [(error, False, "fake")]


def test_without_retries_the_error_itself_is_raised():
    with pytest.raises(APITimeoutError):
        collect(FakeLLM([APITimeoutError()]), conn_options=APIConnectOptions(max_retry=0))


@pytest.mark.parametrize("chunk", [text("I'm"), call("pay")])
def test_nothing_is_said_or_called_twice(chunk):
    llm = FakeLLM([chunk, APIConnectionError("reset")])
    received = []

    async def main():
        async for part in llm.ask():
            received.append(part)

    with pytest.raises(APIConnectionError, match="reset"):
        run_virtual(main())
    assert received == [chunk]
    assert len(llm.started_at) == 1


def test_a_chunk_that_says_nothing_does_not_prevent_a_retry():
    llm = FakeLLM([text(""), APIConnectionError("reset")], [text("ok")])
    assert collect(llm).text == "ok"


def test_a_request_that_we_closed_is_no_error():
    llm = FakeLLM([text("so far"), APIStatusError("closed", status_code=499)])
    assert collect(llm).text == "so far"
    assert llm.seen["error"] == []


def test_closing_cancels_in_the_middle():
    llm = FakeLLM([text("one"), 60.0, text("two")])
    loop_times = []

    async def main():
        stream = llm.ask()
        assert (await anext(stream)) == text("one")
        await stream.aclose()
        loop_times.append(asyncio.get_running_loop().time())
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)

    run_virtual(main())
    assert loop_times == [0.0]
    assert [metrics.cancelled for metrics in llm.seen["metrics_collected"]] == [True]


def test_closing_before_it_began():
    llm = FakeLLM([text("never")])

    async def main():
        await llm.ask().aclose()

    run_virtual(main())
    assert llm.started_at == []
    assert llm.seen["metrics_collected"] == []


def test_closing_ends_the_wait_for_a_retry():
    llm = FakeLLM([APIConnectionError("no")])

    async def main():
        stream = llm.ask()
        await asyncio.sleep(1.0)
        await stream.aclose()
        return asyncio.get_running_loop().time()

    assert run_virtual(main()) == 1.0
    assert len(llm.started_at) == 2


def test_a_reader_who_is_cancelled_leaves_the_request_alone():
    llm = FakeLLM([1.0, text("late")])

    async def main():
        async with llm.ask() as stream:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(stream), 0.5)
            return await anext(stream)

    assert run_virtual(main()) == text("late")


def test_an_error_that_nobody_reads_is_not_left_to_asyncio(caplog):
    llm = FakeLLM([ValueError("a bug")])

    async def main():
        stream = llm.ask()
        await asyncio.sleep(1)
        await stream.aclose()

    run_virtual(main())
    assert "never retrieved" not in caplog.text
    assert len(llm.seen["error"]) == 1


class WarmLLM(FakeLLM):
    def __init__(self, *steps):
        super().__init__([text("hi")])
        self.steps, self.warmed = steps, 0

    async def _prewarm_impl(self):
        self.warmed += 1
        for step in self.steps:
            if isinstance(step, Exception):
                raise step
            await asyncio.sleep(step)


def test_prewarming_happens_once_and_ends_with_the_model():
    llm = WarmLLM(3600.0)

    async def main():
        async with llm:
            llm.prewarm()
            llm.prewarm()
            await asyncio.sleep(1)

    run_virtual(main())
    assert llm.warmed == 1


def test_a_failed_prewarming_hurts_nobody():
    llm = WarmLLM(APIConnectionError("no"))

    async def main():
        llm.prewarm()
        answer = await llm.ask().collect()
        await llm.aclose()
        return answer.text

    assert run_virtual(main()) == "hi"


def test_prewarming_a_model_that_cannot_is_nothing():
    async def main():
        llm = FakeLLM([text("hi")])
        llm.prewarm()
        assert len(asyncio.all_tasks()) == 1

    run_virtual(main())


def test_streams_know_what_was_asked():
    context = ChatContext.empty()

    async def main():
        stream = FakeLLM([text("x")]).chat(chat_ctx=context)
        async with stream:
            return stream

    stream = run_virtual(main())
    assert isinstance(stream, LLMStream)
    assert stream.chat_ctx is context
    assert stream.tools == []


@pytest.mark.parametrize(
    ("code", "asked", "retryable"),
    [
        (400, None, False),
        (404, True, False),
        (408, None, True),
        (409, None, True),
        (429, None, True),
        (429, False, False),
        (499, None, True),
        (500, None, True),
        (503, False, False),
        (-1, None, True),
    ],
)
def test_which_statuses_are_worth_a_retry(code, asked, retryable):
    assert APIStatusError("no", status_code=code, retryable=asked).retryable is retryable
