"""What an entrypoint and a request handler are given; see `agent_runtime.worker.job` and `.assignment`."""

from agent_runtime.worker.assignment import JobAcceptArguments, JobRequest, RunningJobInfo
from agent_runtime.worker.job import (
    AutoSubscribe,
    JobContext,
    JobExecutorType,
    JobProcess,
    current_job,
    get_job_context,
)

get_current_job_context = get_job_context
"""Its older name."""

__all__ = [
    "AutoSubscribe",
    "JobAcceptArguments",
    "JobContext",
    "JobExecutorType",
    "JobProcess",
    "JobRequest",
    "RunningJobInfo",
    "current_job",
    "get_current_job_context",
    "get_job_context",
]
