import asyncio
import contextlib
import json
import logging
import subprocess
import sys
from contextlib import asynccontextmanager

import pytest
from pydantic import BaseModel, SecretStr

from agent_runtime.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError, ConfigError
from agent_runtime.llm import ChatContext, FunctionCall, FunctionCallOutput, function_tool
from agent_runtime.providers.openai import LLM
from agent_runtime.types import APIConnectOptions
from tests.support.openai_server import (
    CUT,
    DONE,
    KEY,
    OpenAIServer,
    Reply,
    answer,
    chunk,
    event,
    failure,
    tool_call,
    usage,
)

ONCE = APIConnectOptions(max_retry=0)


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@asynccontextmanager
async def bare_server(body: bytes | None, content_type: str, status: int = 200):
    """A server of something else: it answers everything with these bytes, or with nothing at all. Gives its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            if body is None:
                await reader.read()
            else:
                head = f"HTTP/1.1 {status} Said\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@function_tool
async def get_weather(city: str, days: int = 1) -> str:
    """Look up the weather.

    Args:
        city: Where.
        days: How many days.
    """
    return f"sunny in {city}"


def conversation(*messages):
    context = ChatContext.empty()
    for role, content in messages or [("user", "Hi")]:
        context.add_message(role=role, content=content)
    return context


async def ask(server, *, context=None, tools=None, conn_options=ONCE, chat=None, **options):
    model = LLM(model=options.pop("model", "m"), api_key=options.pop("api_key", KEY), base_url=server.url, **options)
    async with model:
        stream = model.chat(chat_ctx=context or conversation(), tools=tools, conn_options=conn_options, **(chat or {}))
        return await stream.collect()


async def chunks_of(reply, **options):
    async with (
        OpenAIServer(reply) as server,
        LLM(model="m", api_key=KEY, base_url=server.url) as model,
        model.chat(chat_ctx=conversation(), conn_options=ONCE, **options) as stream,
    ):
        return [part async for part in stream]


async def calls_of(*pieces):
    async with OpenAIServer(Reply([*pieces, DONE])) as server:
        response = await ask(server)
    return [(call.name, call.arguments) for call in response.tool_calls]


# --- what is sent --------------------------------------------------------------------------------------------------


async def test_the_request():
    context = conversation(("system", "Be brief."), ("user", "Weather in Oslo?"))
    context.insert([FunctionCall(call_id="c1", name="get_weather", arguments='{"city": "Oslo"}', created_at=2e9)])
    context.insert(
        [FunctionCallOutput(call_id="c1", name="get_weather", output="sunny", is_error=False, created_at=2e9)]
    )
    async with OpenAIServer() as server:
        await ask(server, context=context, tools=[get_weather], temperature=0.2, max_completion_tokens=50, seed=7)
    (request,) = server.requests
    assert request["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Weather in Oslo?"},
        {
            "role": "assistant",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    ]
    assert (request["model"], request["temperature"], request["seed"]) == ("m", 0.2, 7)
    assert request["max_tokens"] == 50  # the name that servers other than OpenAI's know
    assert request["tools"][0]["function"]["name"] == "get_weather"
    assert "strict" not in request["tools"][0]["function"]


async def test_tool_options_go_with_tools_only():
    named = {"type": "function", "function": {"name": "get_weather"}}
    async with OpenAIServer() as server:
        await ask(server, tool_choice="required", parallel_tool_calls=False)
        await ask(server, tools=[get_weather], tool_choice="required", parallel_tool_calls=False)
        await ask(server, tools=[get_weather], tool_choice="required", chat={"tool_choice": named})
    plain, offered, chosen = server.requests
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & plain.keys()
    assert (offered["tool_choice"], offered["parallel_tool_calls"]) == ("required", False)
    assert chosen["tool_choice"] == named


async def test_extra_arguments_of_one_request():
    async with OpenAIServer() as server:
        await ask(server, temperature=0.9, chat={"extra_kwargs": {"temperature": 0.1, "extra_headers": {"x-a": "b"}}})
    assert server.requests[0]["temperature"] == 0.1
    assert server.requests[0]["headers"]["x-a"] == "b"


async def test_an_answer_of_a_given_form():
    class City(BaseModel):
        name: str

    async with OpenAIServer() as server:
        await ask(server, chat={"response_format": City})
        await ask(server, chat={"response_format": {"type": "json_object"}})
    typed, plain = server.requests
    assert typed["response_format"]["json_schema"]["schema"]["required"] == ["name"]
    assert typed["response_format"]["json_schema"]["name"] == "City"
    assert plain["response_format"] == {"type": "json_object"}


async def test_strict_schemas_where_they_are_asked_for():
    async with OpenAIServer() as server:
        await ask(server, tools=[get_weather], strict_tool_schema=True)
    assert server.requests[0]["tools"][0]["function"]["strict"] is True


async def test_a_local_server_needs_no_key():
    async with OpenAIServer(key=None) as server, LLM(model="m", base_url=server.url) as model:
        assert (await model.chat(chat_ctx=conversation()).collect()).text == "Hello."
        assert (model.provider, model.model) == ("127.0.0.1", "m")


async def test_key_and_url_from_the_environment(monkeypatch):
    async with OpenAIServer() as server:
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url + "/")
        async with LLM(model="m") as model:
            assert (await model.chat(chat_ctx=conversation()).collect()).text == "Hello."


async def test_a_secret_key():
    async with OpenAIServer() as server:
        assert (await ask(server, api_key=SecretStr(KEY))).text == "Hello."


async def test_a_connection_is_used_again():
    async with OpenAIServer() as server, LLM(model="m", api_key=KEY, base_url=server.url) as model:
        model.prewarm()
        for _ in range(3):
            await model.chat(chat_ctx=conversation()).collect()
        assert len(server.requests) == 3
        assert server.connections <= 2  # one more if the first request didn't wait for the prewarming


async def test_a_client_of_ones_own_is_used_and_not_closed():
    import openai

    async with OpenAIServer() as server, openai.AsyncOpenAI(api_key=KEY, base_url=server.url) as client:
        async with LLM(model="m", client=client) as model:
            assert model.base_url == server.url
            assert (await model.chat(chat_ctx=conversation()).collect()).text == "Hello."
        assert not client.is_closed()


def test_openai_itself_needs_a_key():
    with pytest.raises(ConfigError, match="OPENAI_API_KEY: OpenAI needs an API key"):
        LLM()


def test_openai_gets_its_own_dialect():
    model = LLM(api_key=KEY, max_completion_tokens=9)
    assert (model.base_url, model.provider) == ("https://api.openai.com/v1", "api.openai.com")
    assert model._options == {"max_completion_tokens": 9}
    assert model._strict is True


@pytest.mark.parametrize("url", ["localhost:11434", "ftp://host/v1", "http://", "nonsense"])
def test_a_url_that_cannot_be_one(url):
    with pytest.raises(ConfigError, match=r"base_url: '.*' is no URL of a server: write it like http://localhost"):
        LLM(base_url=url)


def test_the_package_is_imported_when_it_is_used():
    code = (
        "import sys; from agent_runtime.providers.openai import LLM; LLM(api_key='k');"
        "assert not {'openai', 'httpx2', 'livekit.rtc'} & sys.modules.keys(), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("url", "seconds"),
    [
        ("http://localhost:11434/v1", 60.0),
        ("http://gpu.local/v1", 60.0),
        ("http://ollama:11434/v1", 60.0),
        ("http://192.168.1.7:8000/v1", 60.0),
        ("http://[::1]:8000/v1", 60.0),
        ("https://8.8.8.8/v1", 10.0),
        ("https://llm.example.com/v1", 10.0),
    ],
)
def test_a_server_nearby_may_load_its_model_first(url, seconds):
    assert LLM(base_url=url)._patience(APIConnectOptions()) == seconds
    assert LLM(base_url=url, timeout=3.0)._patience(APIConnectOptions()) == 3.0
    assert LLM(base_url=url)._patience(APIConnectOptions(timeout=90.0)) == 90.0


# --- what comes back ------------------------------------------------------------------------------------------------


async def test_text_comes_as_it_is_written():
    parts = await chunks_of(answer("Hel", "lo", " there."))
    assert [part.delta.content for part in parts if part.delta] == ["Hel", "lo", " there."]
    assert {part.id for part in parts} == {"chatcmpl-1"}
    assert all(part.delta.role == "assistant" for part in parts if part.delta)


async def test_text_comes_before_the_answer_is_complete():
    more = asyncio.Event()
    async with (
        OpenAIServer(Reply([chunk({"content": "One."}), more, chunk({"content": "Two."}), DONE])) as server,
        LLM(model="m", api_key=KEY, base_url=server.url) as model,
        model.chat(chat_ctx=conversation()) as stream,
    ):
        assert (await anext(stream)).delta.content == "One."
        more.set()
        assert (await anext(stream)).delta.content == "Two."


async def test_usage():
    reply = Reply([chunk({"content": "Hi"}), chunk(finish="stop"), usage(100, 20, cached=64, reasoning=8), DONE])
    last = (await chunks_of(reply))[-1].usage
    assert (last.prompt_tokens, last.completion_tokens, last.total_tokens) == (100, 20, 120)
    assert (last.prompt_cached_tokens, last.reasoning_tokens, last.service_tier) == (64, 8, "default")


async def test_usage_without_a_total():
    numbers = {"prompt_tokens": 3, "completion_tokens": 4}
    (part,) = await chunks_of(Reply([event({"choices": [], "usage": numbers}), DONE]))
    assert part.usage.total_tokens == 7


async def test_metrics_name_the_model_and_its_host():
    seen = []
    async with OpenAIServer() as server, LLM(model="m", api_key=KEY, base_url=server.url) as model:
        model.on("metrics_collected", seen.append)
        await model.chat(chat_ctx=conversation()).collect()
    assert (seen[0].metadata.model_name, seen[0].metadata.model_provider) == ("m", "127.0.0.1")
    assert (seen[0].request_id, seen[0].prompt_tokens) == ("chatcmpl-1", 12)
    assert 0 < seen[0].ttft <= seen[0].duration


async def test_parallel_tool_calls_in_pieces():
    reply = Reply(
        [
            chunk({"role": "assistant", "content": None}),
            tool_call(0, id="c1", name="get_weather", arguments=""),
            tool_call(0, arguments='{"city":'),
            tool_call(0, arguments=' "Oslo"}'),
            tool_call(1, id="c2", name="get_weather", arguments=""),
            tool_call(1, arguments='{"city": "Rome"}'),
            chunk(finish="tool_calls"),
            usage(),
            DONE,
        ]
    )
    parts = [part.delta.tool_calls for part in await chunks_of(reply) if part.delta]
    assert [[(c.call_id, c.name, json.loads(c.arguments)["city"]) for c in calls] for calls in parts] == [
        [("c1", "get_weather", "Oslo")],
        [("c2", "get_weather", "Rome")],
    ]


async def test_a_call_runs_as_soon_as_the_next_one_begins():
    rest = asyncio.Event()
    reply = Reply(
        [
            tool_call(0, id="c1", name="a", arguments="{}"),
            tool_call(1, id="c2", name="b", arguments="{"),
            rest,
            tool_call(1, arguments="}"),
            chunk(finish="tool_calls"),
            DONE,
        ]
    )
    async with (
        OpenAIServer(reply) as server,
        LLM(model="m", api_key=KEY, base_url=server.url) as model,
        model.chat(chat_ctx=conversation()) as stream,
    ):
        assert [call.name for call in (await anext(stream)).delta.tool_calls] == ["a"]
        rest.set()
        assert [call.name for call in (await anext(stream)).delta.tool_calls] == ["b"]


async def test_whole_calls_in_one_chunk_all_numbered_zero():
    pieces = [{"index": 0, "id": f"c{n}", "function": {"name": "a", "arguments": f'{{"n": {n}}}'}} for n in (1, 2)]
    assert await calls_of(chunk({"tool_calls": pieces}, finish="tool_calls")) == [
        ("a", '{"n": 1}'),
        ("a", '{"n": 2}'),
    ]


async def test_calls_without_ids_get_one():
    async with OpenAIServer(
        Reply([tool_call(None, name="a", arguments="{}"), tool_call(None, name="a", arguments='{"x": 1}'), DONE])
    ) as server:
        calls = (await ask(server)).tool_calls
    assert [call.arguments for call in calls] == ["{}", '{"x": 1}']
    assert all(call.call_id.startswith("call_") for call in calls)
    assert calls[0].call_id != calls[1].call_id


async def test_a_name_that_is_repeated_with_every_piece():
    pieces = [tool_call(0, id="c1", name="a", arguments=text) for text in ('{"x": "}', '"', "}")]
    assert await calls_of(*pieces, chunk(finish="tool_calls")) == [("a", '{"x": "}"}')]


async def test_a_call_without_arguments():
    assert await calls_of(tool_call(0, id="c1", name="a"), chunk(finish="tool_calls")) == [("a", "{}")]


async def test_a_call_that_a_server_ends_without_saying_so():
    assert await calls_of(tool_call(0, id="c1", name="a", arguments="{}")) == [("a", "{}")]


async def test_empty_choices_keep_alives_and_nulls_are_skipped():
    reply = Reply(
        [
            b": keep-alive\n\n",
            event({"id": "", "choices": [], "prompt_filter_results": []}),
            event({"id": "x", "choices": None}),
            event({"id": "x", "choices": [{"index": 0, "delta": None, "finish_reason": None}]}),
            event({"id": "x", "choices": [{"index": 0, "delta": {"content": "Hi"}}]}),
            DONE,
        ]
    )
    assert [(part.id, part.delta.content) for part in await chunks_of(reply)] == [("x", "Hi")]


async def test_reasoning_is_not_spoken():
    reply = Reply(
        [
            chunk({"reasoning_content": "The user greets me."}),
            chunk({"reasoning": "So do I."}),
            chunk({"content": "<thi"}),
            chunk({"content": "nk>Hm.</think>\n\nHi"}),
            chunk({"content": " there"}, finish="stop"),
            DONE,
        ]
    )
    assert [part.delta.content for part in await chunks_of(reply)] == ["Hi", " there"]


async def test_a_tag_that_never_comes_is_said_at_the_end():
    reply = Reply([chunk({"content": "1 <"}), chunk({"content": "th"}, finish="stop"), DONE])
    assert "".join(part.delta.content for part in await chunks_of(reply)) == "1 <th"


async def test_what_a_vendor_wants_to_see_again():
    extra = {"google": {"thought_signature": "s"}}
    call = {"index": 0, "id": "c1", "function": {"name": "a", "arguments": "{}"}, "extra_content": extra}
    reply = Reply([chunk({"extra_content": extra}), chunk({"tool_calls": [call]}, finish="tool_calls"), DONE])
    message, called = await chunks_of(reply)
    assert message.delta.extra == extra
    assert called.delta.extra is None
    assert called.delta.tool_calls[0].extra == extra


async def test_content_in_parts():
    reply = Reply([chunk({"content": [{"type": "text", "text": "Hi"}, {"type": "thinking"}]}), DONE])
    assert [part.delta.content for part in await chunks_of(reply)] == ["Hi"]


async def test_usage_alone_is_an_answer():
    assert [part.delta for part in await chunks_of(Reply([usage(), DONE]))] == [None]


async def test_arguments_as_an_object():
    assert await calls_of(tool_call(0, id="c1", name="a", arguments={"x": 1})) == [("a", '{"x": 1}')]


@pytest.mark.parametrize("odd", [None, [], {}, "x", 1, float("inf"), [None], [{}], ["x"], {"a": 1}])
async def test_odd_values_are_skipped(odd):
    reply = Reply(
        [
            event(json.dumps(odd)),
            event({"id": odd, "choices": odd, "usage": odd}),
            chunk({"content": odd, "tool_calls": odd, "extra_content": None}),
            chunk({"tool_calls": [{"index": odd, "id": odd, "function": odd}]}),
            event({"id": "x", "choices": [{"delta": odd}]}),
            chunk({"content": "Hi"}, usage={"prompt_tokens": odd, "completion_tokens": 2}),
            DONE,
        ]
    )
    response = await chunks_of(reply)
    assert "".join(part.delta.content for part in response if part.delta) in ("Hi", "xHi")
    assert response[-1].usage.completion_tokens == 2


# --- cancelling -----------------------------------------------------------------------------------------------------


async def test_closing_the_stream_hangs_up():
    async with (
        OpenAIServer(Reply([chunk({"content": "One"}), asyncio.Event()])) as server,
        LLM(model="m", api_key=KEY, base_url=server.url) as model,
    ):
        async with model.chat(chat_ctx=conversation()) as stream:
            await anext(stream)
        await asyncio.wait_for(server.hung_up.wait(), 5)
        server.replies = [answer("Still here.")]
        assert (await model.chat(chat_ctx=conversation()).collect()).text == "Still here."


async def test_closing_before_the_first_byte():
    async with (
        OpenAIServer(Reply([asyncio.Event()])) as server,
        LLM(model="m", api_key=KEY, base_url=server.url) as model,
    ):
        stream = model.chat(chat_ctx=conversation())
        await asyncio.wait_for(server.asked.wait(), 5)
        await stream.aclose()
        await asyncio.wait_for(server.hung_up.wait(), 5)


# --- errors ---------------------------------------------------------------------------------------------------------


async def error_of(server, **options):
    with pytest.raises(APIError) as caught:
        await ask(server, **options)
    error = caught.value
    assert KEY not in f"{error} {error.message} {error.body!r}"
    return error


async def test_a_wrong_key_names_the_variable_and_not_the_key():
    async with OpenAIServer(key="another") as server:
        error = await error_of(server)
    assert isinstance(error, APIStatusError)
    assert (error.status_code, error.retryable, error.request_id) == (401, False, "req_1")
    assert str(error).startswith(f"{server.url} refuses the API key: set OPENAI_API_KEY to a valid one")


async def test_a_missing_key():
    async with OpenAIServer() as server:
        error = await error_of(server, api_key="")
    assert f"{server.url} needs an API key: set OPENAI_API_KEY" in str(error)


async def test_an_unknown_model_is_named():
    async with OpenAIServer() as server:
        error = await error_of(server, model="gpt-9")
    assert "has no model 'gpt-9': choose another model" in str(error)
    assert not error.retryable


async def test_a_url_without_the_version():
    async with OpenAIServer() as server, LLM(model="m", api_key=KEY, base_url=server.url[:-3]) as model:
        with pytest.raises(
            APIStatusError, match="has no chat completions: check OPENAI_BASE_URL, which often ends in /v1"
        ):
            await model.chat(chat_ctx=conversation(), conn_options=ONCE).collect()


async def test_an_unreachable_server_is_named():
    async with OpenAIServer() as server:
        url = server.url
    async with LLM(model="m", base_url=url) as model:
        with pytest.raises(APIConnectionError, match=f"{url} can't be reached .*check that the server runs") as caught:
            await model.chat(chat_ctx=conversation(), conn_options=ONCE).collect()
    assert caught.value.retryable


async def test_a_password_in_the_url_is_not_shown():
    async with OpenAIServer() as server:
        port = server.url.split(":")[2]
    async with LLM(model="m", base_url=f"http://me:hunter2@127.0.0.1:{port}") as model:
        with pytest.raises(APIConnectionError) as caught:
            await model.check()
    assert str(caught.value).startswith(f"http://127.0.0.1:{port} can't be reached")
    assert "hunter2" not in str(caught.value)


async def test_a_silent_server_times_out():
    async with OpenAIServer(Reply([asyncio.Event()])) as server:
        error = await error_of(server, timeout=0.05)
    assert isinstance(error, APITimeoutError)
    assert str(error) == f"{server.url} didn't answer within 0.05 s"


async def test_a_server_that_falls_silent_times_out():
    async with OpenAIServer(Reply([chunk({"content": "One"}), asyncio.Event()])) as server:
        error = await error_of(server, timeout=0.05, conn_options=APIConnectOptions(max_retry=3))
    assert isinstance(error, APITimeoutError)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("reply", "says", "retryable"),
    [
        (failure(400, "too long", code="context_length_exceeded"), "refused the request: too long", False),
        (failure(403, "not yours"), "doesn't let this key use 'm': not yours", False),
        (failure(429, "slow down"), "limits the rate of requests: slow down", True),
        (failure(429, "pay", code="insufficient_quota"), "has no credit left: pay", False),
        (failure(500, "oops"), "failed: oops", True),
        (failure(503, "busy " * 200), "failed: busy busy", True),
        (failure(400, f"what is {KEY}?"), "what is [key]?", False),
    ],
    ids=["400", "403", "429", "quota", "500", "503", "echo"],
)
async def test_statuses(reply, says, retryable):
    async with OpenAIServer(reply) as server:
        error = await error_of(server)
    assert says in str(error)
    assert len(str(error)) < 500
    assert (error.status_code, error.retryable) == (reply.status, retryable)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry-after": "3"}, 3.0), ({"retry-after-ms": "250"}, 0.25), ({"retry-after": "soon"}, None), ({}, None)],
)
async def test_how_long_the_server_wants_to_be_left_alone(headers, seconds):
    async with OpenAIServer(failure(429, "slow down", **headers)) as server:
        assert (await error_of(server)).retry_after == seconds


async def test_one_retry_and_it_works():
    async with OpenAIServer(failure(500, "oops"), answer("Hello again.")) as server:
        response = await ask(server, conn_options=APIConnectOptions(max_retry=1))
    assert response.text == "Hello again."
    assert len(server.requests) == 2


async def test_an_answer_that_is_cut_is_not_repeated():
    async with OpenAIServer(Reply([chunk({"content": "One"}), CUT]), answer("Two")) as server:
        error = await error_of(server, conn_options=APIConnectOptions(max_retry=3))
    assert isinstance(error, APIConnectionError)
    assert len(server.requests) == 1


async def test_an_answer_that_is_cut_before_it_began_is():
    async with OpenAIServer(Reply([chunk({"role": "assistant"}), CUT]), answer("Two")) as server:
        assert (await ask(server, conn_options=APIConnectOptions(max_retry=1))).text == "Two"


async def test_an_error_in_the_stream():
    reply = Reply([event({"error": {"message": f"overloaded, {KEY}", "code": 529}})])
    async with OpenAIServer(reply) as server:
        error = await error_of(server)
    assert "failed: overloaded, [key]" in str(error)
    assert error.retryable


@pytest.mark.parametrize("garbage", [b"data: {nonsense\n\n", b"data: \xff\xfe\n\n", event("[1, 2")])
async def test_garbage(garbage):
    async with OpenAIServer(Reply([garbage])) as server:
        error = await error_of(server)
    assert "sent something that is no chat completion" in str(error)


@pytest.mark.parametrize("body", [[], [b"<html>Welcome to my router</html>"], [DONE]])
async def test_an_empty_answer(body):
    async with OpenAIServer(Reply(body, headers={"content-type": "text/html"})) as server:
        error = await error_of(server)
    assert f"{server.url} ended its answer before it began" in str(error)


async def test_a_mistake_of_ours_stays_what_it_is():
    async with OpenAIServer() as server:
        with pytest.raises(TypeError, match="nonsense"):
            await ask(server, nonsense=1)


async def test_the_key_is_in_no_log(caplog):
    caplog.set_level(logging.DEBUG)
    async with OpenAIServer(key="another") as server, LLM(model="m", api_key=KEY, base_url=server.url) as model:
        assert KEY not in repr(vars(model))
        with pytest.raises(APIError):
            await model.chat(chat_ctx=conversation()).collect()
    assert KEY not in caplog.text


# --- the check ------------------------------------------------------------------------------------------------------


async def test_the_check_names_the_models():
    async with OpenAIServer(models=["a", "b"]) as server, LLM(api_key=KEY, base_url=server.url) as model:
        assert await model.check() == ["a", "b"]


async def test_the_check_of_what_is_no_such_server_says_so():
    for body, content_type in (b"hello", "text/html"), (b"[1, 2]", "application/json"):
        async with bare_server(body, content_type) as url, LLM(api_key=KEY, base_url=url) as model:
            if body == b"hello":
                with pytest.raises(APIError, match="check that OPENAI_BASE_URL is that of an OpenAI-compatible API"):
                    await model.check()
            else:
                assert await model.check() == []


async def test_the_check_tells_how_long_it_waited():
    async with bare_server(None, "") as url, LLM(api_key=KEY, base_url=url) as model:
        with pytest.raises(APITimeoutError, match=r"didn't answer within 0\.05 s"):
            await model.check(timeout=0.05)


async def test_a_web_page_is_named_by_its_title():
    page = b"<!DOCTYPE html>\n<html><head><title> Bad gateway </title></head><body>Oh</body></html>"
    async with bare_server(page, "text/html", 502) as url, LLM(api_key=KEY, base_url=url) as model:
        with pytest.raises(APIStatusError) as caught:
            await model.check()
    assert str(caught.value) == f"{url} failed: a web page, 'Bad gateway' (status 502)"


async def test_the_check_says_what_is_wrong():
    async with OpenAIServer() as server:
        async with LLM(api_key="wrong", base_url=server.url) as model:
            with pytest.raises(APIStatusError, match="set OPENAI_API_KEY to a valid one"):
                await model.check()
        url = server.url
    async with LLM(api_key=KEY, base_url=url) as model:
        with pytest.raises(APIConnectionError, match="can't be reached"):
            await model.check()
