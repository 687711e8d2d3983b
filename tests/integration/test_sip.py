"""Phone calls asked of a real LiveKit server, which has no phone lines and says so."""

from __future__ import annotations

import pytest
from livekit import api, rtc

from agent_runtime.worker.job import JobContext, JobProcess
from tests.support import jobs
from tests.support.livekit_server import KEY, SECRET, livekit_server, missing

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


async def test_the_server_says_why_nobody_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    with livekit_server() as server:
        for name, value in (("URL", server.url), ("API_KEY", KEY), ("API_SECRET", SECRET)):
            monkeypatch.setenv(f"LIVEKIT_{name}", value)
        info = jobs.info()
        info.fake_job = False
        context = JobContext(
            proc=JobProcess(), info=info, room=rtc.Room(), on_connect=lambda: None, on_shutdown=lambda reason: None
        )
        try:
            with pytest.raises(api.TwirpError, match="sip"):
                await context.add_sip_participant(call_to="+15550100", trunk_id="ST_1", participant_identity="guest")
            with pytest.raises(api.TwirpError):
                await context.transfer_sip_participant("guest", "tel:+15550199")
        finally:
            await context._leave()
