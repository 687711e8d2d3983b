"""A process with a pool that runs a job, to be killed: it prints the ids of the job's process and of one that waits."""

from __future__ import annotations

import asyncio
import sys

from agent_runtime.worker.job import JobContext
from agent_runtime.worker.plan import JobPlan, PoolOptions
from agent_runtime.worker.pool import JobEvent, JobPool, JobStarted, ProcessReady
from tests.support import jobs


async def stay(job: JobContext) -> None:
    """Run until the end, and note it."""

    async def over(reason: str) -> None:
        jobs.note(job, f"over: {reason}")

    job.add_shutdown_callback(over)
    await job.connect()


async def main() -> None:
    """Run one job, for ever."""
    told: list[JobEvent] = []
    pool = JobPool(JobPlan(stay), PoolOptions(num_idle_processes=1), on_event=told.append)
    await pool.start()
    await pool.launch(jobs.info(f"stay:{sys.argv[1]}"))
    while len([event for event in told if isinstance(event, ProcessReady)]) < 2:  # noqa: ASYNC110 - another process's
        await asyncio.sleep(0.01)
    running = next(event.pid for event in told if isinstance(event, JobStarted))
    ready = [event.pid for event in told if isinstance(event, ProcessReady) and event.pid != running]
    print(running, *ready, flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(main())
