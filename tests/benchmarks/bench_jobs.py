"""A worker's jobs without a server: `python -m tests.benchmarks.bench_jobs`.

A thousand jobs one after another, each in a process of its own that answers one text: how long from the launch to the
entrypoint, and what the worker and its fork server have in memory on the way. Then twenty at the same time, each with
20 ms frames both ways and half of the time talking: which frames are late; and a few of these while others raise, are
killed, block their loop or leak beside them, each second one. Providers are fakes that take no time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from agent_runtime.worker.plan import JobPlan, PoolOptions
from agent_runtime.worker.pool import JobEnded, JobEvent, JobPool, JobStarted
from tests.benchmarks.compared import pool_jobs
from tests.benchmarks.compared.run import MachineLag, load
from tests.support.jobs import info
from tests.support.worker_process import family_of

LATE = 40.0
"""Milliseconds."""


class Watched:
    """A pool, and when its jobs began and ended."""

    def __init__(self, plan: JobPlan, idle: int) -> None:
        self.pool = JobPool(plan, PoolOptions(num_idle_processes=idle), on_event=self._told)
        self.launched: dict[str, float] = {}
        self.began: list[float] = []
        self.errors: list[str] = []
        self.over = 0
        self._something = asyncio.Event()

    def _told(self, event: JobEvent) -> None:
        if isinstance(event, JobStarted):
            self.began.append((time.perf_counter() - self.launched[event.job_id]) * 1000)
        elif isinstance(event, JobEnded):
            self.over += 1
            self.errors += [event.error] if event.error else []
        self._something.set()

    async def launch(self, number: int, metadata: str = "") -> None:
        """One more job."""
        job = info(metadata, job_id=str(number))
        self.launched[job.job.id] = time.perf_counter()
        await self.pool.launch(job)

    async def until(self, over: int) -> None:
        """Wait until so many are over."""
        while self.over < over:
            self._something.clear()
            await self._something.wait()


def memory() -> tuple[float, float]:
    """Proportional set sizes in MB: of this process, and of the fork server."""
    sizes = []
    for pid in sorted(family_of(os.getpid())):
        rollup = Path(f"/proc/{pid}/smaps_rollup")
        command = Path(f"/proc/{pid}/cmdline").read_text()
        parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        if pid == os.getpid() or ("forkserver" in command and parent == os.getpid()):
            line = next(line for line in rollup.read_text().splitlines() if line.startswith("Pss:"))
            sizes.append(int(line.split()[1]) / 1024)
    own, server = sizes
    return own, server


async def one_after_another(count: int) -> None:
    """Print a row for each quarter."""
    watched = Watched(JobPlan(pool_jobs.answer), idle=1)
    await watched.pool.start()
    print("| jobs | worker, MB | fork server, MB | launch to entrypoint, ms, p50 / p99 | each job, ms |")
    print("|---|---|---|---|---|")
    at, quarter = time.perf_counter(), max(1, count // 4)
    for number in range(count):
        await watched.launch(number)
        await watched.until(number + 1)
        if (number + 1) % quarter == 0:
            began = sorted(watched.began[-quarter:])
            own, server = memory()
            each = (time.perf_counter() - at) / quarter * 1000
            p50, p99 = statistics.median(began), began[int(len(began) * 0.99) - 1]
            print(f"| {number + 1} | {own:.1f} | {server:.1f} | {p50:.1f} / {p99:.1f} | {each:.0f} |", flush=True)
            at = time.perf_counter()
    await watched.pool.aclose(timeout=10.0)
    print(f"\nfailed: {len(watched.errors)} {watched.errors[:1]}\n")


DEATHS = ("raise", "kill", "block", "leak")


async def together(count: int, seconds: float, *, deaths: bool = False) -> None:
    """Print what became of the frames; with `deaths`, while neighbours die beside them, one each second."""
    watched = Watched(JobPlan(pool_jobs.talk_or_die), idle=count)
    with tempfile.TemporaryDirectory() as folder:
        await watched.pool.start()
        while watched.pool.ready < count:  # noqa: ASYNC110 - other processes get ready
            await asyncio.sleep(0.05)
        files = [Path(folder, str(number)) for number in range(count)]
        with MachineLag() as machine:
            for number, file in enumerate(files):
                phase = number / count * pool_jobs.CYCLE
                asked = {"seconds": seconds, "phase": phase, "file": str(file)}
                await watched.launch(number, json.dumps(asked))
            dead = await die_beside(watched, count, seconds) if deaths else 0
            await watched.until(count + dead)
        figures = [json.loads(file.read_text()) for file in files if file.exists()]
        await watched.pool.aclose(timeout=10.0)
    late = sorted(value for one in figures for value in one["late"])
    due, answered = (sum(one[name] for one in figures) for name in ("turns_due", "turns_answered"))
    over = sum(value > LATE for value in late)
    beside = f", {dead} neighbours died" if dead else ""
    failed = f"failed jobs: {len(watched.errors)}"
    print(f"{count} jobs for {seconds:g} s{beside}: {answered} of {due} turns answered, {failed}")
    p99 = late[int(len(late) * 0.99)]
    print(f"of {len(late)} frames {over} were over {LATE:g} ms late; p99 {p99:.1f} ms, at most {late[-1]:.1f} ms")
    print(f"an idle process's lag meanwhile: p99 {machine.over_ms(0.99)} ms, at most {machine.over_ms(1.0)} ms")


async def die_beside(watched: Watched, first: int, seconds: float) -> int:
    """Launch a job that dies each second; returns how many."""
    for number in range(round(seconds)):
        await asyncio.sleep(1.0)
        await watched.launch(first + number, DEATHS[number % len(DEATHS)])
    return round(seconds)


def main() -> None:
    """Measure all three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--together", type=int, default=20)
    parser.add_argument("--beside", type=int, default=4, metavar="COUNT", help="jobs beside which others die")
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    if options.jobs:
        asyncio.run(one_after_another(options.jobs))
    if options.together:
        asyncio.run(together(options.together, options.seconds))
    if options.beside:
        asyncio.run(together(options.beside, options.seconds, deaths=True))
    print(load())


if __name__ == "__main__":
    main()
