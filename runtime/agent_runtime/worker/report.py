"""How a worker and its jobs do, as others may read it: `/worker`, the list of jobs of an attached console.

Plain dataclasses: a worker that nobody asks carries no library for it. `docs/schemas/worker.json` is made of them.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, TypeAlias

from agent_runtime.records import record

WorkerState: TypeAlias = Literal["starting", "connecting", "registered", "draining", "failed", "closed"]
"""`connecting`: on its way to the server, or on its way back; `failed`: it has given up."""


@record(frozen=True, slots=True)
class JobReport:
    """A job that runs."""

    id: str
    room: str
    agent_name: str
    """The name by which the agent was asked for; empty for one that comes to every room."""
    state: str
    """`starting`, `running` or `ending`."""
    started_at: float
    """Seconds since the epoch."""
    pid: int | None = None
    """Its process; None for a thread of the worker's own."""
    memory_mb: float | None = None
    """Megabytes of that process; None before they were measured."""


@record(frozen=True, slots=True)
class WorkerReport:
    """A worker. The names that LiveKit Agents' `/worker` has mean what they mean there."""

    state: WorkerState
    worker_id: str
    """As the server knows it; empty before it does."""
    agent_name: str
    worker_type: str
    """`JT_ROOM` or `JT_PUBLISHER`."""
    worker_load: float
    """0 to 1."""
    load_threshold: float | None
    """The load from which on no job is taken; None for never."""
    active_jobs: int
    jobs: tuple[JobReport, ...]
    ready_processes: int
    """Processes that wait for a job."""
    sdk_version: str
    pid: int
    started_at: float
    """Seconds since the epoch."""
    memory_mb: float | None = None
    """Megabytes of the worker's own process."""
    problem: str | None = None
    """Why it isn't `registered`, in one line."""
    registrations: int = 0
    """How often the server took it; more than once after lost connections."""
    attach: Literal["off", "read", "write"] = "off"
    """Whether a console can attach to its jobs, and talk to them."""

    @property
    def is_healthy(self) -> bool:
        """Whether it is worth keeping: what it lacks may come back by itself."""
        return self.state not in ("failed", "closed")

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs."""
        return self.state == "registered"

    def as_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> WorkerReport:
        """Read one. What a newer worker tells beyond is left out. Raises ValueError if it is none."""
        data = json.loads(text)
        if not isinstance(data, dict) or not isinstance(data.get("jobs"), list):
            raise ValueError("not a worker's report")
        try:
            jobs = tuple(JobReport(**_known(JobReport, job)) for job in data["jobs"])
            return cls(**{**_known(cls, data), "jobs": jobs})
        except (TypeError, AttributeError) as exc:
            raise ValueError(f"not a worker's report: {exc}") from exc


def schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    from pydantic import TypeAdapter

    return TypeAdapter(WorkerReport).json_schema(mode="serialization")


def _known(kind: type[Any], data: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(kind)}
    return {name: value for name, value in data.items() if name in names}
