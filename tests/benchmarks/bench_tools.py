"""What function tools and the streaming text filters cost: `python -m tests.benchmarks.bench_tools`.

`--reference PYTHON` measures the same calls in an environment that has livekit-agents, for comparison.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import time
from collections.abc import Callable
from typing import Literal

from agent_runtime.tokenize import basic
from agent_runtime.voice.transforms import filter_emoji, filter_markdown
from agent_tools import CallContext, find_function_tools, function_tool

ARGUMENTS = '{"city": "Paris", "days": 2}'
REPLY = "In **Paris** it is sunny, 17 degrees, i.e. warm. Take a hat! [More](http://x.y) at 5 p.m. Then it rains. " * 5

REFERENCE = """
import asyncio, time
from livekit.agents import llm, function_tool
from livekit.agents.llm.utils import execute_function_call
@function_tool
async def get_weather(city: str, days: int = 3) -> str:
    '''Look up the weather.

    Args:
        city: the city
        days: how many
    '''
    return city
async def main():
    tools = llm.ToolContext([get_weather])
    call = llm.FunctionToolCall(name="get_weather", arguments='{"city": "Paris", "days": 2}', call_id="1")
    for count in (20, 300):
        began = time.perf_counter()
        for _ in range(count):
            await execute_function_call(call, tools)
    print(f"execute, livekit-agents    {(time.perf_counter() - began) / count * 1e6:9.1f} us")
asyncio.run(main())
"""


def make_tool() -> object:
    @function_tool
    async def get_weather(context: CallContext, city: str, days: int = 3, unit: Literal["C", "F"] = "C") -> str:
        """Look up the weather.

        Args:
            city: the city
            days: how many
            unit: which degrees
        """
        return city

    return get_weather


class Many:
    """Ten methods that are tools."""

    for index in range(10):
        vars()[f"tool_{index}"] = function_tool(lambda self: "", name=f"tool_{index}")


def per_call(name: str, function: Callable[[], object], count: int = 2000) -> None:
    """Print microseconds per call, the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(count):
            function()
        best = min(best, (time.perf_counter() - began) / count)
    print(f"{name:26} {best * 1e6:9.1f} us")


async def main() -> None:
    """Measure and print."""
    tool = make_tool()
    context = CallContext()
    per_call("decorate", make_tool, 200)
    began = time.perf_counter()
    tool.parameters_schema()  # type: ignore[attr-defined]
    print(f"{'first schema and validator':26} {(time.perf_counter() - began) * 1e6:9.1f} us")
    per_call("find ten tools", lambda: find_function_tools(Many()), 200)
    for name, arguments in [("execute", ARGUMENTS), ("execute, invalid", '{"days": "soon"}')]:
        count = 20_000
        began = time.perf_counter()
        for _ in range(count):
            await tool.execute(arguments, context)  # type: ignore[attr-defined]
        print(f"{name:26} {(time.perf_counter() - began) / count * 1e6:9.1f} us")
    pieces = [REPLY[at : at + 4] for at in range(0, len(REPLY), 4)]

    async def stream():
        for piece in pieces:
            yield piece

    for name, transform in [("filter_markdown", filter_markdown), ("filter_emoji", filter_emoji)]:
        began = time.perf_counter()
        for _ in range(50):
            async for _piece in transform(stream()):
                pass
        print(f"{name:26} {(time.perf_counter() - began) / 50 / len(pieces) * 1e6:9.1f} us a token")
    tokenizer = basic.SentenceTokenizer()
    began = time.perf_counter()
    for _ in range(50):
        sentences = tokenizer.stream()
        for piece in pieces:
            sentences.push_text(piece)
        sentences.end_input()
    print(f"{'sentences':26} {(time.perf_counter() - began) / 50 / len(pieces) * 1e6:9.1f} us a token")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", help="a Python that has livekit-agents")
    reference = parser.parse_args().reference
    asyncio.run(main())
    if reference:
        print(subprocess.run([reference, "-c", REFERENCE], capture_output=True, text=True, check=True).stdout, end="")
