"""What a simulated job is told of its simulation, by the attribute of its job."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from livekit.protocol import agent_simulation

    from agent_runtime.worker.job import JobContext

logger = logging.getLogger(__name__)

DISPATCH_ATTRIBUTE: Final = "lk.simulator.dispatch"
"""The attribute of a job that holds its simulation, as JSON of the protocol's `SimulationDispatch`."""
_MESSAGES: Final = ("Scenario", "ScenarioGroup", "SimulationDispatch", "SimulationMode", "SimulationRun")
PRIORITY_HEADER: Final = "X-LiveKit-Inference-Priority"
"""By which a request says how urgent it is."""


@dataclass
class SimulationVerdict:
    """How a simulated conversation went."""

    success: bool
    reason: str


class SimulationContext:
    """The simulation that a job is part of: `JobContext.simulation_context()`."""

    def __init__(self, dispatch: agent_simulation.SimulationDispatch, job_ctx: JobContext) -> None:
        self._dispatch = dispatch
        self._job = job_ctx
        self._user_verdict: SimulationVerdict | None = None

    @property
    def scenario(self) -> agent_simulation.Scenario:
        """What is played."""
        return self._dispatch.scenario

    @property
    def simulation_mode(self) -> int:
        """Whether the user types or speaks; text where it isn't said."""
        from livekit.protocol import agent_simulation as proto

        unsaid = self._dispatch.mode == proto.SimulationMode.SIMULATION_MODE_UNSPECIFIED
        return proto.SimulationMode.SIMULATION_MODE_TEXT if unsaid else self._dispatch.mode

    @property
    def simulation_run_id(self) -> str:
        """The run that it is part of."""
        return self._dispatch.simulation_run_id

    @property
    def simulation_job_id(self) -> str:
        """This scenario's job in the run."""
        return self._dispatch.job_id

    @property
    def job_context(self) -> JobContext:
        """The job."""
        return self._job

    @property
    def user_verdict(self) -> SimulationVerdict | None:
        """What `fail` said."""
        return self._user_verdict

    def userdata(self) -> dict[str, Any]:
        """The scenario's own data."""
        data: dict[str, Any] = json.loads(self.scenario.userdata or "{}")
        return data

    def fail(self, reason: str = "") -> None:
        """The agent's own checks failed. It is kept with the job's tags, too."""
        self._user_verdict = SimulationVerdict(False, reason)
        self._job.tagger.fail(reason)


def __getattr__(name: str) -> Any:
    # The protocol's own messages, under the names that they have there.
    if name in _MESSAGES:
        from livekit.protocol import agent_simulation as proto

        return getattr(proto, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def simulation_of(job: JobContext) -> SimulationContext | None:
    """The job's simulation, None for a job with real users. What a newer server tells beyond is left out."""
    text = job.job.attributes.get(DISPATCH_ATTRIBUTE, "")
    if not text:
        return None
    from google.protobuf import json_format
    from livekit.protocol import agent_simulation as proto

    try:
        dispatch = json_format.Parse(text, proto.SimulationDispatch(), ignore_unknown_fields=True)
    except json_format.ParseError as exc:
        logger.warning("the job's attribute %s can't be read: %s", DISPATCH_ATTRIBUTE, exc)
        return None
    return SimulationContext(dispatch, job) if dispatch.simulation_run_id else None


def inference_headers(context: SimulationContext | None) -> dict[str, str]:
    """Headers for the requests of a job's models: those of simulations by text wait behind everybody else's."""
    if context is None:
        return {}
    from livekit.protocol import agent_simulation as proto

    by_text = context.simulation_mode == proto.SimulationMode.SIMULATION_MODE_TEXT
    return {PRIORITY_HEADER: "low"} if by_text else {}
