"""The HTTP session that packages of providers share."""

import asyncio
import sys
from types import ModuleType

import pytest

from agent_runtime.errors import MissingDependencyError
from agent_runtime.utils import http_context


class FakeSession:
    def __init__(self, *, trust_env: bool) -> None:
        self.trust_env = trust_env
        self.closed = False

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def _aiohttp(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("aiohttp")
    module.ClientSession = FakeSession  # type: ignore[attr-defined] # a stand-in
    monkeypatch.setitem(sys.modules, "aiohttp", module)


@pytest.mark.usefixtures("_aiohttp")
async def test_a_loop_has_one_session_until_it_is_closed():
    first = http_context.http_session()
    assert first is http_context.http_session()
    assert first.trust_env
    await http_context.aclose()
    assert first.closed
    await http_context.aclose()
    async with http_context.open() as second:
        assert second is not first
        assert http_context.http_session() is second
        async with http_context.open() as again:
            assert again is second
        assert not second.closed
    assert second.closed


@pytest.mark.usefixtures("_aiohttp")
async def test_one_that_somebody_closed_is_replaced():
    first = http_context.http_session()
    await first.close()
    second = http_context.http_session()
    assert second is not first
    await http_context.aclose()


@pytest.mark.usefixtures("_aiohttp")
async def test_each_loop_has_its_own():
    mine = http_context.http_session()

    async def other() -> object:
        async with http_context.open() as session:
            return session

    assert await asyncio.to_thread(lambda: asyncio.run(other())) is not mine
    assert not mine.closed
    await http_context.aclose()


async def test_without_aiohttp_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingDependencyError, match="aiohttp is missing: run `pip install aiohttp`"):
        http_context.http_session()
