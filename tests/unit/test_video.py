"""What the agent sees: the input, the sampler, and pictures made of frames."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from livekit.rtc import VideoBufferType, VideoFrame

from agent_runtime import Agent
from agent_runtime.errors import MissingDependencyError
from agent_runtime.io import VideoInput, VideoOutput
from agent_runtime.testing import Answer, ScriptedRealtimeModel, Stage, UserSpeech, in_virtual_time, scripted_session
from agent_runtime.types import NOT_GIVEN
from agent_runtime.utils import images
from agent_runtime.voice import VoiceActivityVideoSampler

FRAME = VideoFrame(width=2, height=2, type=VideoBufferType.RGBA, data=b"\x07\x08\x09\xff" * 4)


class Camera(VideoInput):
    """Ten frames a second."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__(label="camera")
        self.count = 0
        self.calls: list[str] = []
        self._fails_at = fails_at

    async def __anext__(self) -> VideoFrame:
        if self.count:
            await asyncio.sleep(0.1)
        self.count += 1
        if self.count == self._fails_at:
            raise OSError("the camera is gone")
        return FRAME

    def on_attached(self) -> None:
        self.calls.append("attached")

    def on_detached(self) -> None:
        self.calls.append("detached")


async def watch(stage: Stage, camera: Camera, until: float) -> None:
    stage.session.input.video = camera
    await stage.session.start(Agent(instructions=""))
    await stage.run_until(until)


def realtime(model: ScriptedRealtimeModel, **options: Any) -> dict[str, Any]:
    return {"llm": model, "stt": None, "tts": None, "vad": NOT_GIVEN, **options}


@in_virtual_time
async def test_a_realtime_model_sees_more_while_the_user_speaks():
    model = ScriptedRealtimeModel([UserSpeech(7.0, 11.5, "Look")], [Answer("I see.")])
    async with scripted_session(**realtime(model)) as stage:
        await watch(stage, Camera(), 6.95)
        assert len(model.sessions[0].video) == 3  # at 0.0, 3.4 and 6.8
        await stage.run_until(12.0)
        assert len(model.sessions[0].video) == 8  # and each second from 7.8


@pytest.mark.parametrize(("sampler", "frames"), [(None, 11), (lambda frame, session: False, 0)])
@in_virtual_time
async def test_a_sampler_of_ones_own_decides(sampler: Any, frames: int):
    model = ScriptedRealtimeModel()
    async with scripted_session(**realtime(model, video_sampler=sampler)) as stage:
        await watch(stage, Camera(), 1.0)
        assert len(model.sessions[0].video) == frames


@in_virtual_time
async def test_a_video_that_is_switched_off_is_not_seen():
    model, camera = ScriptedRealtimeModel(), Camera()
    async with scripted_session(**realtime(model, video_sampler=None)) as stage:
        await watch(stage, camera, 1.0)
        stage.session.input.set_video_enabled(False)
        stage.session.input.set_video_enabled(False)
        await stage.run_until(2.0)
        assert len(model.sessions[0].video) == 11
        assert not stage.session.input.video_enabled
        stage.session.input.set_video_enabled(True)
        await stage.run_until(2.5)
        assert len(model.sessions[0].video) > 11
        stage.session.input.video = None
        assert camera.calls == ["attached", "detached", "attached", "detached"]


@in_virtual_time
async def test_a_camera_that_fails_is_told_and_the_conversation_goes_on():
    model = ScriptedRealtimeModel([UserSpeech(0.5, 1.5, "Hello")], [Answer("Hi.")])
    async with scripted_session(**realtime(model)) as stage:
        await watch(stage, Camera(fails_at=3), 6.0)
        error: Any = stage.of("error_occurred")[0].data
        assert error.source == "video input"
        assert "the camera is gone" in error.message
        assert stage.said()[-1] == ("assistant", "Hi.")


@in_virtual_time
async def test_a_pipeline_is_shown_nothing_by_itself():
    asked: list[int] = []
    async with scripted_session(video_sampler=lambda frame, session: asked.append(1) or True) as stage:
        camera = Camera()
        await watch(stage, camera, 1.0)
        assert camera.count == 11
        assert asked == []


@pytest.mark.parametrize("rate", ["speaking_fps", "silent_fps"])
@in_virtual_time
async def test_a_rate_of_zero_picks_nothing(rate: str):
    async with scripted_session([UserSpeech(0.5, 2.5, "Hello")], answers=[Answer("Hi.")]) as stage:
        await stage.session.start(Agent(instructions=""))
        await stage.run_until(1.0 if rate == "speaking_fps" else 0.2)
        other = "silent_fps" if rate == "speaking_fps" else "speaking_fps"
        assert not VoiceActivityVideoSampler(**{rate: 0.0})(FRAME, stage.session)
        assert VoiceActivityVideoSampler(**{other: 0.0})(FRAME, stage.session)


@in_virtual_time
async def test_a_video_output_is_attached_and_detached():
    class Screen(VideoOutput):
        def __init__(self) -> None:
            super().__init__(label="screen")
            self.calls: list[str] = []

        async def capture_frame(self, frame: VideoFrame) -> None:
            self.calls.append("frame")

        def flush(self) -> None:
            self.calls.append("flush")

        def on_attached(self) -> None:
            self.calls.append("attached")

        def on_detached(self) -> None:
            self.calls.append("detached")

    async with scripted_session() as stage:
        screen, output = Screen(), stage.session.output
        output.video = screen
        output.set_video_enabled(False)
        output.set_video_enabled(True)
        output.video = None
        assert screen.calls == ["attached", "detached", "attached", "detached"]
        assert output.video_enabled


WIDE = VideoFrame(width=40, height=20, type=VideoBufferType.RGBA, data=b"\xff\x00\x00\xff" * 800)


@pytest.mark.parametrize(
    ("strategy", "size", "corner_is_black"),
    [
        ("skew", (20, 20), False),
        ("scale_aspect_fit", (20, 10), False),
        ("scale_aspect_cover", (40, 20), False),
        ("center_aspect_fit", (20, 20), True),
        ("center_aspect_cover", (20, 20), False),
    ],
)
def test_pictures_are_fitted(strategy: Any, size: tuple[int, int], corner_is_black: bool):
    from PIL import Image

    options = images.EncodeOptions(format="PNG", resize_options=images.ResizeOptions(20, 20, strategy))
    picture = Image.open(io.BytesIO(images.encode(WIDE, options)))
    assert picture.size == size
    assert (picture.getpixel((0, 0)) == (0, 0, 0)) is corner_is_black
    assert picture.getpixel((size[0] // 2, size[1] // 2)) == (255, 0, 0)


def test_a_frame_in_colours_of_cameras_is_converted():
    from PIL import Image

    picture = Image.open(io.BytesIO(images.encode(WIDE.convert(VideoBufferType.I420), images.EncodeOptions())))
    assert (picture.format, picture.size) == ("JPEG", (40, 20))


def test_a_better_quality_takes_more_bytes():
    noise = VideoFrame(width=16, height=16, type=VideoBufferType.RGBA, data=bytes(range(256)) * 4)
    sizes = [len(images.encode(noise, images.EncodeOptions(quality=quality))) for quality in (10, 95)]
    assert sizes[0] < sizes[1]


def test_an_unknown_strategy_is_named():
    wrong: Any = "squeeze"
    with pytest.raises(ValueError, match="'squeeze'"):
        images.encode(FRAME, images.EncodeOptions(resize_options=images.ResizeOptions(1, 1, wrong)))


def test_without_pillow_the_command_is_told(monkeypatch: pytest.MonkeyPatch):
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingDependencyError, match="pip install"):
        images.encode(FRAME, images.EncodeOptions())
