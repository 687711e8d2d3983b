"""A worker that shows its jobs, without any: what they tell comes from the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from agent_runtime.events import AnyEvent
from agent_runtime.events.codec import dumps
from agent_runtime.worker.access import AttachOptions, Gate
from agent_runtime.worker.feed import Feed
from agent_runtime.worker.health import HealthServer, health_pages
from agent_runtime.worker.report import JobReport, WorkerReport

TOKEN = "a-token-for-the-tests"
REPORT = WorkerReport(
    state="registered",
    worker_id="AW_1",
    agent_name="weather",
    worker_type="JT_ROOM",
    worker_load=0.25,
    load_threshold=0.7,
    active_jobs=2,
    jobs=(
        JobReport("AJ_1", "kitchen", "weather", "running", 1_700_000_000.0, 42, 61.5),
        JobReport("AJ_2", "garden", "weather", "running", 1_700_000_060.0, 43, 58.0),
    ),
    ready_processes=2,
    sdk_version="0.1.0",
    pid=41,
    started_at=1_699_999_000.0,
    attach="read",
)


class FakeJobs:
    """Tells a job's past to whoever comes, and notes what they ask."""

    def __init__(self, past: Iterable[AnyEvent] = ()) -> None:
        self.past = list(past)
        self.readers: dict[str, list[Callable[[bytes], None]]] = {}
        self.asked: list[tuple[str, bytes]] = []

    def watch(self, job_id: str, on_line: Callable[[bytes], None]) -> Callable[[], None]:
        if self.past:
            on_line("\n".join(map(dumps, self.past)).encode())
        self.readers.setdefault(job_id, []).append(on_line)
        return lambda: self.readers[job_id].remove(on_line)

    def ask(self, job_id: str, line: bytes) -> None:
        self.asked.append((job_id, line))

    def tell(self, job_id: str, *events: AnyEvent) -> None:
        self.past += events
        for reader in list(self.readers.get(job_id, ())):
            reader("\n".join(map(dumps, events)).encode())


class FakeWorker:
    """The server, its feed and its jobs. `report` may be changed."""

    def __init__(self, jobs: FakeJobs, options: AttachOptions, port: int = 0) -> None:
        self.report = replace(REPORT, attach="write" if options.write else "read")
        self.jobs = jobs
        self.feed = Feed(Gate(options, "127.0.0.1"), lambda: self.report, jobs)
        self.server = HealthServer(health_pages(lambda: self.report), port=port, sockets=self.feed, tls=options.tls())

    @property
    def url(self) -> str:
        return self.server.url


@asynccontextmanager
async def worker(past: Iterable[AnyEvent] = (), *, port: int = 0, **options: object) -> AsyncIterator[FakeWorker]:
    """A worker that listens."""
    made = FakeWorker(FakeJobs(past), AttachOptions(**{"token": TOKEN, **options}), port)  # type: ignore[arg-type]
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.aclose()
