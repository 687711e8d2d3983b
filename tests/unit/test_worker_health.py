"""The worker's HTTP server, asked over a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from agent_runtime.errors import WorkerError
from agent_runtime.worker.health import HealthServer, Page, health_pages
from agent_runtime.worker.report import WorkerReport
from tests.support import worker_feed

REPORT = replace(worker_feed.REPORT, active_jobs=1, jobs=worker_feed.REPORT.jobs[:1], attach="off")


class Answer:
    def __init__(self, raw: bytes) -> None:
        head, _, body = raw.decode().partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        self.status = int(first.split()[1])
        self.headers = dict(line.split(": ", 1) for line in lines)
        self.body = body


async def ask(port: int, path: str, *, method: str = "GET", **headers: str) -> Answer:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *(f"{name}: {value}" for name, value in headers.items())]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    raw = await reader.read()
    writer.close()
    await writer.wait_closed()
    return Answer(raw)


@asynccontextmanager
async def served(report: Callable[[], WorkerReport], **more: Callable[[], Page]) -> AsyncIterator[int]:
    server = HealthServer({**health_pages(report), **{f"/{name}": make for name, make in more.items()}}, port=0)
    await server.start()
    try:
        yield server.port
    finally:
        await server.aclose()


async def test_a_worker_that_takes_jobs_is_alive_and_ready():
    async with served(lambda: REPORT) as port:
        for path in ("/", "/ready", "/?why=k8s"):
            answer = await ask(port, path)
            assert (answer.status, answer.body) == (200, "OK\n")
            assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("state", "alive", "ready"),
    [("starting", 200, 503), ("connecting", 200, 503), ("draining", 200, 503), ("failed", 503, 503)],
)
async def test_one_that_takes_none_says_why_in_a_line(state, alive, ready):
    async with served(lambda: replace(REPORT, state=state, problem="the server is away")) as port:
        assert (await ask(port, "/")).status == alive
        answer = await ask(port, "/ready")
        assert (answer.status, answer.body) == (ready, f"{state}: the server is away\n")


async def test_the_report_is_json_that_reads_back():
    async with served(lambda: REPORT) as port:
        answer = await ask(port, "/worker")
        assert answer.headers["Content-Type"] == "application/json"
        assert WorkerReport.from_json(answer.body) == REPORT


def test_a_newer_workers_report_is_read_and_anything_else_refused():
    data = json.loads(REPORT.as_json())
    data["mood"] = data["jobs"][0]["mood"] = "good"
    assert WorkerReport.from_json(json.dumps(data)) == REPORT
    for text in ("[]", "{}", '{"jobs": [1]}', '{"jobs": [{"id": "a"}]}', "no json"):
        with pytest.raises(ValueError, match=r"."):
            WorkerReport.from_json(text)


async def test_what_it_does_not_know_is_named_and_what_fails_is_logged(caplog):
    def fail() -> Page:
        raise RuntimeError("no figures")

    async with served(lambda: REPORT, broken=fail) as port:
        answer = await ask(port, "/health")
        assert (answer.status, answer.body) == (404, "there are /, /broken, /ready, /worker\n")
        assert (await ask(port, "/", method="POST")).status == 405
        head = await ask(port, "/", method="HEAD")
        assert (head.status, head.body, head.headers["Content-Length"]) == (200, "", "3")
        assert (await ask(port, "/attach")).status == 404
        assert (await ask(port, "/broken")).status == 500
        assert "no figures" in caplog.text


async def test_somebody_who_knocks_and_leaves_is_no_error(caplog):
    async with served(lambda: REPORT) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        await writer.wait_closed()
        assert (await ask(port, "/")).status == 200
    assert [record for record in caplog.records if record.levelname not in ("INFO", "DEBUG")] == []


async def test_an_address_that_cannot_be_had_is_told_in_one_line():
    async with served(lambda: REPORT) as port:
        with pytest.raises(WorkerError, match=rf"^port {port} on 127\.0\.0\.1 is in use: .*another port.*$"):
            await HealthServer({}, port=port).start()
    with pytest.raises(WorkerError, match=r"^203\.0\.113\.9 is no address of this machine: "):
        await HealthServer({}, host="203.0.113.9", port=0).start()
