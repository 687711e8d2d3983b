"""What an entrypoint and a request handler are given; see `agent_runtime.worker.job`."""

from agent_runtime.worker.job import (
    AutoSubscribe,
    JobAcceptArguments,
    JobContext,
    JobExecutorType,
    JobProcess,
    JobRequest,
    RunningJobInfo,
    current_job,
    get_job_context,
)

__all__ = [
    "AutoSubscribe",
    "JobAcceptArguments",
    "JobContext",
    "JobExecutorType",
    "JobProcess",
    "JobRequest",
    "RunningJobInfo",
    "current_job",
    "get_job_context",
]
