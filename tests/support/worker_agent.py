"""An agent's file as people write it, run by tests as a worker: `python worker_agent.py start`.

`WORKER_AGENT_NAME` is the name by which it is asked for. Its participant's attributes tell what its job knows.
"""

import logging
import os

from agent_runtime import AgentServer, JobContext, JobProcess, cli


def set_up(process: JobProcess) -> None:
    process.userdata["ready"] = "made ready"


server = AgentServer(setup_fnc=set_up, load_fnc=lambda: 0.0, num_idle_processes=1, port=0)


@server.rtc_session(agent_name=os.environ.get("WORKER_AGENT_NAME", ""))
async def talk(job: JobContext) -> None:
    logging.getLogger("shop").info("the job begins")
    await job.connect()
    await job.room.local_participant.set_attributes(
        {
            "metadata": job.job.metadata,
            "ready": job.proc.userdata["ready"],
            "worker": job.worker_id,
            "pid": str(os.getpid()),
        }
    )


if __name__ == "__main__":
    cli.run_app(server)
