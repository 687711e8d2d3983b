"""A console attached to a job that runs in a process of its own: it sees, it asks, and it is told of the end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from livekit.protocol import agent, models

if sys.platform == "win32":
    pytest.skip("jobs run in forked processes", allow_module_level=True)

from agent_console.attach.address import WorkerAddress, find_worker
from agent_console.attach.backend import AttachBackend
from agent_runtime import events as ev
from agent_runtime.worker.access import AttachOptions, Gate
from agent_runtime.worker.assignment import JobAcceptArguments, RunningJobInfo
from agent_runtime.worker.feed import Feed
from agent_runtime.worker.health import HealthServer
from agent_runtime.worker.outside import _job_report
from agent_runtime.worker.pool import JobEnded, JobEvent, JobMetrics, JobPlan, JobPool, PoolOptions
from agent_runtime.worker.prometheus import WorkerMetrics
from agent_runtime.worker.report import WorkerReport
from tests.integration.test_worker import ask_for, person
from tests.support import attach_agent
from tests.support.attach_agent import KEY, entrypoint
from tests.support.livekit_server import livekit_server, missing
from tests.support.worker_feed import TOKEN
from tests.support.worker_process import worker

JOB = RunningJobInfo(
    JobAcceptArguments("", "agent-1", ""),
    agent.Job(id="AJ_1", room=models.Room(name="kitchen")),
    "",
    "",
    "AW_1",
    fake_job=True,
)


class Worker:
    """A pool with its feed, and a console on it."""

    def __init__(self, options: AttachOptions) -> None:
        self.pool = JobPool(JobPlan(entrypoint), PoolOptions(), on_event=self._happened)
        self.feed = Feed(Gate(options, ""), self.report, self.pool)
        self.server = HealthServer({}, port=0, sockets=self.feed, tls=options.tls())
        self.metrics = WorkerMetrics(self.report)
        self.seen: list[ev.AnyEvent] = []

    def report(self) -> WorkerReport:
        jobs = tuple(map(_job_report, self.pool.jobs))
        return WorkerReport(
            "registered", "AW_1", "", "JT_ROOM", 0.0, None, len(jobs), jobs, 0, "0", 1, 0.0, attach="write"
        )

    def _happened(self, event: JobEvent) -> None:
        if isinstance(event, JobMetrics):
            self.metrics.job_counted(event.job_id, event.samples)
        elif isinstance(event, JobEnded):
            self.feed.job_over(event.job_id, event.error)

    def data(self, kind: type) -> list[Any]:
        return [event.data for event in self.seen if isinstance(event.data, kind)]


@asynccontextmanager
async def working(
    options: AttachOptions = AttachOptions(TOKEN, write=True),  # noqa: B008  # it can't be changed
) -> AsyncIterator[tuple[Worker, AttachBackend]]:
    worker = Worker(options)
    await worker.server.start()
    await worker.pool.launch(JOB)
    console = AttachBackend(WorkerAddress(worker.server.url, TOKEN))
    console.start(worker.seen.append)
    try:
        yield worker, console
    finally:
        await asyncio.to_thread(console.stop)
        await worker.server.aclose()
        await worker.pool.aclose(timeout=5.0)


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110  # it happens in another process
            await asyncio.sleep(0.01)


async def test_a_conversation_is_seen_from_its_beginning_and_talked_to():
    async with working() as (worker, console):
        await until(lambda: worker.data(ev.SessionStarted))  # it began before anybody attached
        await until(lambda: console.attachment.can_write)
        console.send_text("How is the weather?")
        await until(lambda: worker.data(ev.SpeechFinished))
        assert [committed.text for committed in worker.data(ev.TurnCommitted)] == ["How is the weather?"]
        assert "".join(text.delta for text in worker.data(ev.AgentText)) == "It is sunny."
        await until(lambda: "agent_llm_tokens" in worker.metrics.page().text)
        seqs = [event.seq for event in worker.seen if event.session_id]
        assert seqs == sorted(set(seqs))


async def test_no_secret_of_the_jobs_process_is_seen():
    async with working() as (worker, console):
        await until(lambda: console.attachment.can_write and worker.data(ev.SessionStarted))
        console.send_text("How is the weather?")
        await until(lambda: len(worker.data(ev.SpeechFinished)) == 1)
        console.send_text("And the key?")
        await until(lambda: len(worker.data(ev.SpeechFinished)) == 2)
        said = [item.item.get("content") for item in worker.data(ev.ItemAdded)]
        assert ["The key is ********."] in said
        assert KEY not in repr(said)


async def test_a_job_that_is_killed_is_told_and_so_is_a_worker_that_ends():
    async with working() as (worker, console):
        await until(lambda: worker.data(ev.SessionStarted))
        pid = worker.pool.jobs[0].pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await until(lambda: console.attachment.over is not None)
        assert console.attachment.over != ""  # why it ended
        await until(lambda: console.attachment.jobs == ())
        await worker.server.aclose()
        await until(lambda: console.attachment.worker.state == "lost")
        assert "ended" in console.attachment.worker.problem or "no worker answers" in console.attachment.worker.problem


# --- over TLS --------------------------------------------------------------------------------------------------------


@pytest.fixture
def certified(tmp_path: Path) -> AttachOptions:
    """A worker's options with a certificate, signed by an authority that is in `authority.pem`."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    return AttachOptions(TOKEN, str(certificate), str(key), write=True)


async def test_over_tls_a_conversation_is_seen_and_talked_to(
    certified: AttachOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    async with working(certified) as (worker, console):
        assert worker.server.url.startswith("https://")
        await until(lambda: console.attachment.can_write and worker.data(ev.SessionStarted))
        console.send_text("How is the weather?")
        await until(lambda: worker.data(ev.SpeechFinished))


async def test_a_certificate_of_nobody_known_is_refused_and_the_token_isnt_sent(certified: AttachOptions) -> None:
    async with working(certified) as (worker, console):
        await until(lambda: console.attachment.worker.problem)
        assert "certificate can't be trusted" in console.attachment.worker.problem
        assert "SSL_CERT_FILE" in console.attachment.worker.problem
        assert worker.seen == []


@pytest.mark.parametrize(("tls", "hint"), [(True, "is at https://"), (False, "does it speak plain http?")])
async def test_the_wrong_scheme_is_told(certified: AttachOptions, tls: bool, hint: str) -> None:
    server = Worker(certified if tls else AttachOptions(TOKEN)).server
    await server.start()
    wrong = server.url.replace("https://", "http://") if tls else server.url.replace("http://", "https://")
    console = AttachBackend(WorkerAddress(wrong, TOKEN))
    console.start(lambda _: None)
    try:
        await until(lambda: console.attachment.worker.problem)
        assert hint in console.attachment.worker.problem
    finally:
        await asyncio.to_thread(console.stop)
        await server.aclose()


# --- a worker at a real server ---------------------------------------------------------------------------------------


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
async def test_a_worker_at_a_server_is_attached_to_by_the_token_that_it_keeps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    seen: list[ev.AnyEvent] = []
    with livekit_server() as server, worker(server, command=[attach_agent.__file__, "start"]) as process:
        await asyncio.to_thread(process.wait_for, "registered")
        health = next(line["message"] for line in process.log if "health is told at" in line["message"])
        console = AttachBackend(find_worker(health.rpartition(" ")[2], None))
        console.start(seen.append)
        try:
            async with person(server, "greeted"):
                await ask_for(server, "greeted", "greeter")
                await until(lambda: console.attachment.jobs)
                (job,) = console.attachment.jobs
                assert (job.room, console.attachment.can_write) == ("greeted", False)
                console.choose(job.id)
                await until(lambda: any(isinstance(event.data, ev.SessionStarted) for event in seen))
                process.send(signal.SIGTERM)
                await until(lambda: console.attachment.report and console.attachment.report.state == "draining")
                process.send(signal.SIGTERM)
                await until(lambda: console.attachment.worker.state == "lost")
        finally:
            await asyncio.to_thread(console.stop)
