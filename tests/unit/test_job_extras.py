"""What a job has beside its room: tags, phone calls, its simulation and its recording."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from livekit import api, rtc

from agent_runtime import Agent, AgentSession
from agent_runtime.bundle import Bundle
from agent_runtime.testing import Answer, ScriptedLLM
from agent_runtime.worker.job import JobContext, JobProcess, current_job
from agent_runtime.worker.job_recording import JobRecording, RecordingOptions
from agent_runtime.worker.simulation import DISPATCH_ATTRIBUTE, PRIORITY_HEADER
from tests.support import jobs


class Calls:
    """LiveKit's API of phone calls, as far as a job uses it."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.sip = self

    async def create_sip_participant(self, request: api.CreateSIPParticipantRequest) -> api.SIPParticipantInfo:
        self.requests.append(request)
        return api.SIPParticipantInfo(participant_identity=request.participant_identity, sip_call_id="SCL_1")

    async def transfer_sip_participant(self, request: api.TransferSIPParticipantRequest) -> None:
        self.requests.append(request)


def job(*, fake: bool = False, dispatch: str | None = None) -> JobContext:
    info = jobs.info()
    info.fake_job = fake
    if dispatch is not None:
        info.job.attributes[DISPATCH_ATTRIBUTE] = dispatch
    room: Any = None
    return JobContext(proc=JobProcess(), info=info, room=room, on_connect=lambda: None, on_shutdown=lambda reason: None)


async def test_who_is_called_comes_into_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    context, calls = job(), Calls()
    monkeypatch.setattr(context, "_api", calls)
    info = await context.add_sip_participant(call_to="+15550100", trunk_id="ST_1", participant_identity="guest")
    [request] = calls.requests
    assert info.sip_call_id == "SCL_1"
    assert (request.room_name, request.sip_trunk_id, request.sip_call_to) == ("kitchen", "ST_1", "+15550100")
    assert (request.participant_identity, request.participant_name) == ("guest", "SIP-participant")


async def test_a_caller_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    context, calls = job(), Calls()
    monkeypatch.setattr(context, "_api", calls)
    await context.transfer_sip_participant("guest", "tel:+15550199", play_dialtone=True)
    [request] = calls.requests
    assert (request.participant_identity, request.transfer_to, request.play_dialtone) == (
        "guest",
        "tel:+15550199",
        True,
    )


async def test_only_callers_are_passed_on() -> None:
    person: Any = SimpleNamespace(identity="ann", kind=rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD)
    with pytest.raises(ValueError, match="ann isn't on the phone"):
        job().transfer_sip_participant(person, "+15550199")


async def test_a_fake_job_calls_nobody(caplog: pytest.LogCaptureFixture) -> None:
    context = job(fake=True)
    info = await context.add_sip_participant(call_to="+15550100", trunk_id="ST_1", participant_identity="guest")
    await context.transfer_sip_participant("guest", "+15550199")
    assert info.sip_call_id == ""
    assert "+15550100 isn't called" in caplog.text
    assert "guest isn't passed on to +15550199" in caplog.text


def test_the_last_outcome_holds() -> None:
    tagger = job().tagger
    assert tagger.outcome is None
    tagger.fail("hung up")
    tagger.success("booked")
    tagger.add("language:es", metadata={"sure": 0.9})
    tagger.add("voicemail")
    tagger.remove("voicemail")
    assert tagger.tags == {"lk.success", "language:es"}
    assert (tagger.outcome, tagger.outcome_reason) == ("success", "booked")
    tagger.fail()
    assert (tagger.outcome, tagger.outcome_reason) == ("fail", None)
    [language, failed] = tagger.as_plain()["tags"]
    assert (language["tag"], language["metadata"]) == ("language:es", {"sure": 0.9})
    assert failed["tag"] == "lk.fail"
    assert "metadata" not in failed


def test_what_judges_say_is_kept() -> None:
    tagger = job().tagger
    judgment = SimpleNamespace(verdict="pass", reasoning="It greeted.", instructions="greets")
    tagger._evaluation(SimpleNamespace(judgments={"polite": judgment}))
    assert tagger.tags == {"lk.judge.polite:pass"}
    assert tagger.evaluations[0]["reasoning"] == "It greeted."


def test_a_job_with_real_users_has_no_simulation() -> None:
    assert job().simulation_context() is None
    assert job().inference_headers == {}


def test_a_simulated_job_knows_its_scenario() -> None:
    scenario = {"id": "S_1", "userdata": json.dumps({"guests": 2})}
    dispatch = {"simulationRunId": "SR_1", "jobId": "SJ_1", "scenario": scenario, "newerField": 1}
    context = job(dispatch=json.dumps(dispatch))
    simulation = context.simulation_context()
    assert simulation is not None
    assert (simulation.simulation_run_id, simulation.simulation_job_id) == ("SR_1", "SJ_1")
    assert simulation.userdata() == {"guests": 2}
    assert context.inference_headers == {PRIORITY_HEADER: "low"}
    simulation.fail("the table isn't booked")
    assert context.tagger.outcome_reason == "the table isn't booked"


def test_a_simulation_by_voice_goes_first_like_anybody() -> None:
    dispatch = {"simulationRunId": "SR_1", "mode": "SIMULATION_MODE_AUDIO"}
    assert job(dispatch=json.dumps(dispatch)).inference_headers == {}


def test_what_is_no_simulation_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert job(dispatch="{").simulation_context() is None
    assert DISPATCH_ATTRIBUTE in caplog.text
    assert job(dispatch="{}").simulation_context() is None


async def talk(context: JobContext, record: object) -> dict[str, Any]:
    """A conversation in the job; its report."""
    token = current_job.set(context)
    try:
        session: AgentSession[None] = AgentSession(stt=None, vad=None, tts=None, llm=ScriptedLLM([Answer("Soup.")]))
        await session.start(Agent(instructions=""), record=record)
        await session.run(user_input="What is there?")
        context.tagger.success()
        await context._end_sessions()
        return context.make_session_report().to_dict()
    finally:
        current_job.reset(token)


async def test_a_job_writes_its_conversation_down() -> None:
    context = job(fake=True)
    report = await talk(context, record=True)
    bundle = Bundle.open(Path(report["recording"]))
    kinds = [type(event.data).__name__ for event in bundle.events()]
    assert kinds[0] == "SessionStarted"
    assert kinds[-1] == "SessionClosed"
    assert bundle.manifest.complete
    assert report["outcome"] == "success"
    await context._leave()


@pytest.mark.parametrize("record", [False, {"transcript": False}])
async def test_nothing_is_written_that_nobody_wants(record: object) -> None:
    context = job(fake=True)
    report = await talk(context, record=record)
    assert report["recording"] is None
    assert list(context.session_directory.iterdir()) == []
    await context._leave()


async def test_one_bundle_holds_one_conversation() -> None:
    context = job(fake=True)
    context.init_recording(RecordingOptions())
    recording = context._recording
    assert isinstance(recording, JobRecording)
    await talk(context, record=True)
    await talk(context, record={"audio": False})
    assert context._recording is recording
    texts = [event.session_id for event in Bundle.open(recording.folder).events()]
    assert len(set(texts)) == 1
    await context._leave()


def test_redacted_sound_needs_its_words() -> None:
    with pytest.raises(ValueError, match="transcript"):
        job().init_recording({"redaction": True, "transcript": False})


async def test_a_recording_of_nothing_leaves_nothing(tmp_path: Path) -> None:
    recording = JobRecording(tmp_path / "unused")
    await recording.aclose()
    assert not recording.folder.exists()
