"""From an offer to a job that runs, and what a worker tells its server meanwhile; in virtual time."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from livekit.protocol import agent

from agent_runtime.errors import AssignmentTimeoutError, WorkerError
from agent_runtime.testing import VirtualClock, in_virtual_time
from agent_runtime.utils.hw import CPUMonitor
from agent_runtime.worker.assignment import JobRequest, RunningJobInfo
from agent_runtime.worker.load import CpuLoad
from agent_runtime.worker.options import WorkerPermissions, WorkerType, default_request
from agent_runtime.worker.running import RunningWorker, WorkerTerms
from tests.support.scripted_livekit import ScriptedLiveKit
from tests.support.worker_pool import FakePool


class Cpu(CPUMonitor):
    """A machine whose load is set."""

    def __init__(self) -> None:
        super().__init__(1.0, self._read)
        self.load = 0.0
        self._used = self._then = 0.0

    def _read(self) -> float:
        now = asyncio.get_running_loop().time()
        self._used += (now - self._then) * self.load
        self._then = now
        return self._used


class Stage:
    """A worker, its scripted server and its fake pool."""

    def __init__(self, **changes: Any) -> None:
        clock = VirtualClock()
        request_fnc: Callable[[JobRequest], Any] = changes.pop("request_fnc", default_request)
        load_fnc = changes.pop("load_fnc", None)
        ready_after = changes.pop("ready_after", 0.0)
        self.server = ScriptedLiveKit()
        self.cpu = Cpu()
        self.registered: list[str] = []
        self.pool = FakePool(lambda event: None, ready_after)

        def make_pool(on_event: Callable[[Any], None]) -> FakePool:
            self.pool.on_event = on_event
            return self.pool

        terms = {
            "agent_name": "desk",
            "worker_type": WorkerType.ROOM,
            "permissions": WorkerPermissions(hidden=True),
            "deployment": "",
            "load_threshold": 0.7,
            "expected_jobs": 2,
            "max_retry": 16,
            "url": "ws://scripted",
        }
        self.worker = RunningWorker(
            None,  # type: ignore[arg-type]  # only a load function gets it
            WorkerTerms(**terms | changes),
            make_pool=make_pool,
            connect=self.server.connect,
            request_fnc=request_fnc,
            load_fnc=load_fnc,
            on_registered=lambda worker_id, info: self.registered.append(worker_id),
            clock=clock,
            cpu=CpuLoad(clock.now, self.cpu),
        )

    async def accepted(self, job_id: str, **offer: str) -> agent.Job:
        """Offer a job and have it accepted."""
        count = len(self.server.messages("availability"))
        job = self.server.offer(job_id, **offer)
        answer = (await self.server.wait_for("availability", count + 1)).message.availability
        assert (answer.job_id, answer.available) == (job_id, True)
        return job

    async def started(self, job_id: str) -> None:
        """Offer a job, assign it and see it run."""
        self.server.assign(await self.accepted(job_id))
        await asyncio.sleep(0.1)
        assert job_id in self.pool.running

    def told(self, job_id: str) -> list[str]:
        """What the server was told of a job."""
        updates = [said.message.update_job for said in self.server.messages("update_job")]
        return [agent.JobStatus.Name(update.status) for update in updates if update.job_id == job_id]

    def loads(self) -> list[tuple[float, str]]:
        updates = [(said.at, said.message.update_worker) for said in self.server.messages("update_worker")]
        return [(at, agent.WorkerStatus.Name(update.status)) for at, update in updates]


@contextlib.asynccontextmanager
async def stage(**changes: Any) -> AsyncIterator[Stage]:
    made = Stage(**changes)
    await made.worker.start(lambda: None)
    try:
        await asyncio.sleep(0.1)
        yield made
    finally:
        await made.worker.aclose(timeout=10.0)


@in_virtual_time
async def test_it_registers_with_what_it_is():
    async with stage() as scene:
        request = scene.server.said[0].message.register
        assert (request.agent_name, request.type) == ("desk", agent.JobType.JT_ROOM)
        assert request.allowed_permissions.agent
        assert request.allowed_permissions.hidden
        assert request.allowed_permissions.can_publish
        assert scene.registered == ["W1"]
        assert scene.worker.id == "W1"


@in_virtual_time
async def test_a_job_that_is_assigned_runs_and_its_end_is_told():
    async with stage() as scene:
        job = await scene.accepted("J1", room="kitchen")
        answer = scene.server.messages("availability")[0].message.availability
        assert answer.participant_identity == "agent-J1"
        assert dict(answer.participant_attributes) == {"lk.agent.name": "desk"}
        scene.server.assign(job, token="let me in")
        await asyncio.sleep(0.1)
        (info,) = scene.pool.launched
        assert (info.job.room.name, info.token, info.url) == ("kitchen", "let me in", "ws://scripted")
        assert (info.worker_id, info.fake_job, info.accept_arguments.identity) == ("W1", False, "agent-J1")
        assert [one.job.id for one in scene.worker.active_jobs] == ["J1"]
        scene.pool.end("J1")
        await asyncio.sleep(0.1)
        assert scene.told("J1") == ["JS_RUNNING", "JS_SUCCESS"]
        assert scene.worker.active_jobs == []


@in_virtual_time
async def test_a_job_that_fails_is_told_with_its_error():
    async with stage() as scene:
        await scene.started("J1")
        scene.pool.end("J1", error="ValueError: no pizza")
        await asyncio.sleep(0.1)
        assert scene.told("J1") == ["JS_RUNNING", "JS_FAILED"]
        assert scene.server.messages("update_job")[-1].message.update_job.error == "ValueError: no pizza"


@in_virtual_time
async def test_a_job_that_cant_be_launched_is_told(caplog):
    async with stage() as scene:
        scene.pool.refusal = RuntimeError("no process")
        scene.server.assign(await scene.accepted("J1"))
        await asyncio.sleep(0.1)
        assert scene.told("J1") == ["JS_FAILED"]
        assert scene.worker.active_jobs == []
        assert "job J1 can't be launched" in caplog.text


@in_virtual_time
async def test_an_assignment_that_doesnt_come_is_given_up_after_seven_and_a_half_seconds(caplog):
    seen: list[Exception] = []

    async def request_fnc(request: JobRequest) -> None:
        try:
            await request.accept()
        except AssignmentTimeoutError as exc:
            seen.append(exc)

    async with stage(request_fnc=request_fnc) as scene:
        job = await scene.accepted("J1")
        await asyncio.sleep(7.4)
        assert scene.worker.effective_load == pytest.approx(0.35)
        await asyncio.sleep(0.2)
        assert [str(exc) for exc in seen] == ["the job J1 was accepted and not assigned within 7.5 s"]
        assert scene.worker.effective_load == 0.0
        scene.server.assign(job)  # too late
        await asyncio.sleep(0.1)
        assert scene.pool.launched == []
        assert scene.told("J1") == ["JS_FAILED"]


@in_virtual_time
async def test_a_request_function_decides():
    async def request_fnc(request: JobRequest) -> None:
        if request.room.name == "closed":
            await request.reject()
        elif request.room.name == "busy":
            await request.reject(terminate=False)
        elif request.room.name == "broken":
            raise ValueError("oops")
        elif request.room.name == "open":
            await request.accept(name="Ada", identity="ada", metadata="m", attributes={"a": "b"})

    async with stage(request_fnc=request_fnc) as scene:
        for number, room in enumerate(("closed", "busy", "broken", "forgotten", "open")):
            scene.server.offer(f"J{number}", room=room)
            await asyncio.sleep(0.1)
        answers = [said.message.availability for said in scene.server.messages("availability")]
        assert [(answer.available, answer.terminate) for answer in answers] == [
            (False, True),
            (False, False),
            (False, False),
            (False, False),
            (True, False),
        ]
        last = answers[-1]
        assert (last.participant_identity, last.participant_name, last.participant_metadata) == ("ada", "Ada", "m")
        assert dict(last.participant_attributes) == {"lk.agent.name": "desk", "a": "b"}


@in_virtual_time
async def test_load_is_told_every_two_and_a_half_seconds_and_jobs_are_declined_above_the_threshold():
    async with stage() as scene:
        scene.cpu.load = 0.9
        await asyncio.sleep(10.0)
        scene.server.offer("J1")
        await asyncio.sleep(0.1)
        assert scene.server.messages("availability")[0].message.availability.available is False
        scene.cpu.load = 0.1
        await asyncio.sleep(5.0)
        await scene.accepted("J2")
        times = [at for at, _ in scene.loads()]
        assert times[0] == 0.0
        assert [t for t in times if t > 0.0] == [2.5, 5.0, 7.5, 10.0, 12.5, 15.0]
        assert [status for _, status in scene.loads()][-6:] == ["WS_FULL"] * 4 + ["WS_AVAILABLE"] * 2


@in_virtual_time
async def test_offers_that_come_together_count_for_each_other():
    async with stage(load_threshold=0.7, expected_jobs=2) as scene:
        for number in range(4):
            scene.server.offer(f"J{number}")
        await asyncio.sleep(0.1)
        answers = [said.message.availability.available for said in scene.server.messages("availability")]
        assert sorted(answers) == [False, False, True, True]


@in_virtual_time
async def test_a_job_that_comes_before_the_first_process_is_taken_and_waits():
    async with stage(ready_after=5.0) as scene:
        scene.server.assign(await scene.accepted("J1"))
        await asyncio.sleep(4.8)
        assert list(scene.pool.running) == []
        await asyncio.sleep(0.2)
        assert list(scene.pool.running) == ["J1"]


@in_virtual_time
async def test_jobs_outlive_a_lost_connection_and_what_became_of_them_is_told_later():
    async with stage() as scene:
        await scene.started("J1")
        await scene.started("J2")
        await asyncio.sleep(20.0)
        scene.server.refusals = [WorkerError("no", retry=True)]
        scene.server.drop()
        await asyncio.sleep(1.0)
        scene.pool.end("J1")
        await asyncio.sleep(5.0)
        assert scene.registered == ["W1", "W3"]
        (migration,) = scene.server.messages("migrate_job")
        assert list(migration.message.migrate_job.job_ids) == ["J2"]
        assert scene.told("J1")[-1] == "JS_SUCCESS"
        assert list(scene.pool.running) == ["J2"]


@in_virtual_time
async def test_what_was_accepted_on_a_lost_connection_is_given_up_at_once(caplog):
    async with stage() as scene:
        await scene.accepted("J1")
        scene.server.drop()
        await asyncio.sleep(0.1)
        assert "the connection was lost before the job was assigned" in caplog.text
        assert scene.worker.effective_load == 0.0


@in_virtual_time
async def test_the_server_ends_a_job():
    async with stage() as scene:
        await scene.started("J1")
        scene.server.send(agent.ServerMessage(termination=agent.JobTermination(job_id="J1")))
        await asyncio.sleep(0.1)
        assert scene.pool.terminated == [("J1", "the server ended it")]


@in_virtual_time
async def test_draining_takes_no_job_and_waits_for_those_that_run():
    async with stage() as scene:
        await scene.started("J1")
        job = await scene.accepted("J2")
        draining = asyncio.create_task(scene.worker.drain(60.0))
        await asyncio.sleep(0.1)
        assert scene.loads()[-1][1] == "WS_FULL"
        assert scene.server.messages("update_worker")[-1].message.update_worker.draining
        scene.server.offer("J3")
        scene.server.assign(job)  # what was promised is kept
        await asyncio.sleep(0.1)
        assert scene.server.messages("availability")[-1].message.availability.available is False
        scene.pool.end("J1")
        await asyncio.sleep(0.1)
        assert not draining.done()
        scene.pool.end("J2")
        await draining


@in_virtual_time
async def test_draining_has_its_time():
    async with stage() as scene:
        await scene.started("J1")
        with pytest.raises(TimeoutError):
            await scene.worker.drain(60.0)
        await scene.worker.aclose(timeout=10.0)
        assert scene.told("J1")[-1] == "JS_SUCCESS"  # the server learns how it ended before the line is cut
        assert scene.pool.closed == 10.0


@in_virtual_time
async def test_a_refusal_and_a_pool_that_fails_end_the_wait():
    scene = Stage()
    scene.server.refusals = [WorkerError("the secret is wrong")]
    await scene.worker.start(lambda: None)
    with pytest.raises(WorkerError, match="the secret is wrong"):
        await scene.worker.wait()
    await scene.worker.aclose(timeout=1.0)
    scene = Stage()
    scene.pool.problem = WorkerError("set_up fails")
    await scene.worker.start(lambda: None)
    with pytest.raises(WorkerError, match="set_up fails"):
        await scene.worker.wait()
    await scene.worker.aclose(timeout=1.0)


def info_of(job_id: str) -> RunningJobInfo:
    from agent_runtime.worker.assignment import JobAcceptArguments

    accept = JobAcceptArguments(name="", identity="x", metadata="")
    return RunningJobInfo(
        accept_arguments=accept, job=agent.Job(id=job_id), url="", token="", worker_id="", fake_job=True
    )


@in_virtual_time
async def test_a_load_function_that_fails_leaves_the_load(caplog):
    with caplog.at_level(logging.ERROR):
        async with stage() as scene:
            scene.cpu.load = 0.5
            await asyncio.sleep(3.0)
            assert scene.worker.load == pytest.approx(0.5)
            await scene.worker.launch(info_of("mine"))
            assert [one.job.id for one in scene.worker.active_jobs] == ["mine"]
