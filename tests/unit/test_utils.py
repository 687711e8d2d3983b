"""The small tools that people write providers with."""

import asyncio
import logging
import subprocess
import sys

import numpy as np
import pytest
from livekit.rtc import AudioFrame

from agent_runtime import utils
from agent_runtime.media.frames import frame_from_array
from agent_runtime.media.wav import write_wav
from agent_runtime.testing import run_virtual
from agent_runtime.utils.audio import (
    AudioByteStream,
    audio_frames_from_file,
    calculate_audio_duration,
    silence_frame,
    silence_frame_like,
)


class TestExpFilter:
    def test_the_past_weighs_alpha_a_unit_of_time(self):
        average = utils.ExpFilter(0.5)
        assert average.value is None
        assert average.apply(1, 4.0) == 4.0
        assert average.apply(1, 0.0) == 2.0
        assert average.apply(2, 10.0) == pytest.approx(0.25 * 2 + 0.75 * 10)
        average.update_base(1.0)
        before = average.value
        assert average.apply(1, 100.0) == before
        assert average.apply(1) == before

    def test_bounds_and_reset(self):
        average = utils.ExpFilter(0.5, max_val=1.0, min_val=0.5, initial=0.6)
        assert average.apply(1, 10.0) == 1.0
        assert average.apply(1, -10.0) == 0.5
        average.reset(initial=0.7, max_val=2.0, min_val=-5.0, alpha=0.1)
        assert average.value == 0.7
        assert average.apply(1, -10.0) == -5.0

    def test_what_cannot_be(self):
        with pytest.raises(ValueError, match="alpha is 0; it must be above 0 and at most 1"):
            utils.ExpFilter(0)
        with pytest.raises(ValueError, match="there is no value yet"):
            utils.ExpFilter(0.5).apply(1)


def test_moving_average_of_the_last_samples():
    average = utils.MovingAverage(2)
    assert (average.get_avg(), average.size()) == (0.0, 0)
    for sample in (1.0, 2.0, 6.0):
        average.add_sample(sample)
    assert (average.get_avg(), average.size()) == (4.0, 2)
    average.reset()
    assert average.size() == 0


def test_a_bounded_dict_forgets_the_oldest(caplog: pytest.LogCaptureFixture):
    held = utils.BoundedDict[str, complex](maxsize=2)
    for number, name in enumerate("abc"):
        held[name] = complex(number)
    assert list(held) == ["b", "c"]
    assert held.pop_if(lambda value: value.real < 2) == ("b", 1)
    assert held.pop_if(lambda value: value.real > 5) == (None, None)
    assert held.pop_if() == ("c", 2)
    assert held.pop_if() == (None, None)
    with pytest.raises(ValueError, match="maxsize is 0"):
        utils.BoundedDict(0)
    things = utils.BoundedDict[str, logging.Logger]()
    things["log"] = logging.Logger("log")
    assert things.update_value("log", name="new", disabled=None, colour="red") is things["log"]
    assert things["log"].name == "new"
    assert things["log"].disabled is False
    assert "a Logger has no colour" in caplog.text
    assert things.update_value("gone", name="x") is None


async def test_exceptions_are_logged_and_raised_on(caplog: pytest.LogCaptureFixture):
    @utils.log_exceptions(msg="while counting")
    def count() -> int:
        return 1 // 0

    @utils.log_exceptions(logger=logging.getLogger("mine"))
    async def wait() -> None:
        raise KeyError("x")

    with pytest.raises(ZeroDivisionError):
        count()
    with pytest.raises(KeyError):
        await wait()
    first, second = caplog.records
    assert first.getMessage().endswith("count failed: while counting")
    assert first.exc_info
    assert (second.name, second.getMessage().endswith("wait failed")) == ("mine", True)


class TestAudioByteStream:
    def test_bytes_in_any_pieces_make_frames_of_one_size(self):
        stream = AudioByteStream(16000, 2, samples_per_channel=160)
        data = np.arange(2 * 400, dtype=np.int16).tobytes()
        frames: list[AudioFrame] = []
        for at in range(0, len(data), 7):
            frames += stream.push(data[at : at + 7])
        assert [frame.samples_per_channel for frame in frames] == [160, 160]
        assert stream.buffered_duration == 80 / 16000
        [rest] = stream.flush()
        assert (rest.samples_per_channel, rest.num_channels, rest.sample_rate) == (80, 2, 16000)
        assert b"".join(bytes(frame.data.cast("b")) for frame in [*frames, rest]) == data
        assert stream.flush() == []

    def test_half_a_sample_waits(self):
        stream = AudioByteStream(8000, 1)
        assert stream.write(b"\1\0\2") == []
        assert [bytes(frame.data.cast("b")) for frame in stream.flush()] == [b"\1\0"]
        assert stream.flush() == []
        stream.push(b"\0")
        assert [bytes(frame.data.cast("b")) for frame in stream.flush()] == [b"\2\0"]

    def test_progressive_frames_double(self):
        stream = AudioByteStream(16000, 1, samples_per_channel=1600, progressive=True)

        def sizes() -> list[int]:
            return [frame.samples_per_channel for frame in stream.push(bytes(2 * 5000))]

        assert sizes() == [320, 640, 1280, 1600]
        stream.clear()
        assert sizes()[0] == 320
        stream.reset_progressive()
        stream.flush()
        assert sizes()[0] == 320


def test_an_array_buffer_holds_the_last_samples():
    buffer = utils.AudioArrayBuffer(buffer_size=4, sample_rate=16000)
    stereo = np.array([[1, 3], [5, 7], [9, 11]], np.int16)
    assert buffer.push_frame(frame_from_array(stereo, 16000)) == 3
    assert buffer.read().tolist() == [2, 6, 10]
    buffer.push_frame(frame_from_array(np.array([20, 30], np.int16), 16000))
    assert buffer.read().tolist() == [6, 10, 20, 30]
    buffer.shift(3)
    assert (len(buffer), buffer.read().tolist()) == (1, [30])
    with pytest.raises(ValueError, match="the frame has 5 samples, the buffer takes 4"):
        buffer.push_frame(frame_from_array(np.zeros(5, np.int16), 16000))
    buffer.reset()
    assert len(buffer) == 0


def test_an_array_buffer_resamples():
    buffer = utils.AudioArrayBuffer(buffer_size=3000, sample_rate=16000)
    frame = frame_from_array(np.full(4800, 1000, np.int16), 48000)
    written = sum(buffer.push_frame(frame) for _ in range(2))
    assert 3000 < written <= 3200
    assert len(buffer) == 3000
    assert abs(int(buffer.read()[-1000:-500].mean()) - 1000) < 5
    with pytest.raises(ValueError, match="the frame has 8000 Hz, those before it 48000"):
        buffer.push_frame(frame_from_array(np.zeros(80, np.int16), 8000))


def test_durations_and_silence():
    frame = silence_frame(0.5, 8000, 2)
    assert (frame.samples_per_channel, frame.num_channels, bytes(frame.data)) == (4000, 2, bytes(16000))
    alike = silence_frame_like(frame)
    assert (alike.samples_per_channel, alike.num_channels, alike.sample_rate) == (4000, 2, 8000)
    assert calculate_audio_duration(frame) == 0.5
    assert calculate_audio_duration([frame, alike]) == 1.0
    assert utils.merge_frames([frame, alike]).samples_per_channel == 8000
    assert utils.combine_frames is utils.merge_frames


async def test_frames_of_a_file(tmp_path):
    write_wav(tmp_path / "tone.wav", np.full(2000, 500, np.int16), 8000)
    for channels in (1, 2):
        frames = [frame async for frame in audio_frames_from_file(str(tmp_path / "tone.wav"), 16000, channels)]
        assert sum(frame.samples_per_channel for frame in frames) == 4000
        assert {(frame.sample_rate, frame.num_channels) for frame in frames} == {(16000, channels)}


class TestSleep:
    def test_its_end_can_be_moved(self):
        async def scenario() -> None:
            loop = asyncio.get_running_loop()
            began = loop.time()
            nap = utils.aio.sleep(1.0)
            nap.reset(2.0)
            loop.call_later(1.5, nap.reset)
            await nap
            assert loop.time() - began == 3.5
            with pytest.raises(utils.aio.SleepFinished):
                nap.reset()
            await utils.aio.Sleep(0)
            assert loop.time() - began == 3.5

        run_virtual(scenario())

    async def test_it_can_be_cancelled(self):
        nap = utils.aio.Sleep(100.0)
        nap.cancel()
        asyncio.get_running_loop().call_soon(lambda: asyncio.get_running_loop().call_soon(nap.cancel))
        with pytest.raises(asyncio.CancelledError):
            await nap


async def test_a_wait_group_waits_for_all():
    group = utils.aio.WaitGroup()
    await group.wait()
    group.add(2)
    waiting = asyncio.create_task(group.wait())
    group.done()
    await asyncio.sleep(0)
    assert not waiting.done()
    group.done()
    await waiting
    with pytest.raises(ValueError, match="1 ended while 0 were under way"):
        group.done()


class TestConnectionPool:
    def pool(self, **options):
        self.made: list[str] = []
        self.closed: list[str] = []

        async def connect(timeout: float) -> str:
            self.made.append(f"conn{len(self.made)}")
            return self.made[-1]

        async def close(conn: str) -> None:
            self.closed.append(conn)

        return utils.ConnectionPool[str](connect_cb=connect, close_cb=close, **options)

    async def test_a_connection_is_used_again_and_a_failed_one_is_not(self):
        pool = self.pool()
        async with pool.connection(timeout=1) as first:
            assert not pool.last_connection_reused
            async with pool.connection(timeout=1) as second:
                assert second != first

        async def fail() -> None:
            async with pool.connection(timeout=1) as again:
                assert (again, pool.last_connection_reused) == (first, True)
                raise RuntimeError("cut off")

        with pytest.raises(RuntimeError, match="cut off"):
            await fail()
        assert self.closed == []
        assert await pool.get(timeout=1) == second
        assert self.closed == [first]
        await pool.aclose()
        assert self.closed == [first, second]

    async def test_old_ones_are_closed(self, monkeypatch: pytest.MonkeyPatch):
        now = 100.0
        monkeypatch.setattr("agent_runtime.utils.connection_pool.time.monotonic", lambda: now)
        pool = self.pool(max_session_duration=10)
        pool.put(await pool.get(timeout=1))
        now = 109.0
        pool.put(await pool.get(timeout=1))
        now = 111.0
        assert await pool.get(timeout=1) == "conn1"
        refreshed = self.pool(max_session_duration=10, mark_refreshed_on_get=True)
        for later in (0.0, 9.0, 9.0):
            now += later
            refreshed.put(await refreshed.get(timeout=1))
        assert self.made == ["conn0"]
        await pool.aclose()

    async def test_invalidated_ones_live_until_they_are_given_back(self):
        pool = self.pool()
        first, second = await pool.get(timeout=1), await pool.get(timeout=1)
        pool.put(second)
        pool.invalidate()
        assert await pool.get(timeout=1) == "conn2"
        assert self.closed == [second]
        pool.put(first)
        await pool.get(timeout=1)
        assert self.closed == [second, first]
        await pool.aclose()
        assert sorted(self.closed) == ["conn0", "conn1", "conn2", "conn3"]

    async def test_options_that_change_while_it_connects(self):
        pool = self.pool()
        connect = pool._connect_cb

        async def slow(timeout: float) -> str:
            conn = await connect(timeout)
            if conn == "conn0":
                pool.invalidate()
            return conn

        pool._connect_cb = slow
        assert await pool.get(timeout=1) == "conn1"
        assert self.closed == ["conn0"]

    async def test_connecting_ahead(self, caplog: pytest.LogCaptureFixture):
        pool = self.pool()
        pool.prewarm()
        pool.prewarm()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert await pool.get(timeout=1) == "conn0"
        pool.prewarm()
        await asyncio.sleep(0)
        assert self.made == ["conn0"]

        async def refuse(timeout: float) -> str:
            raise OSError("key=secret")

        failing = utils.ConnectionPool[str](connect_cb=refuse)
        failing.prewarm()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "couldn't connect ahead of time: OSError" in caplog.text
        assert "secret" not in caplog.text
        with pytest.raises(NotImplementedError, match="give it `connect_cb`"):
            await utils.ConnectionPool[str]().get(timeout=1)

    async def test_a_close_that_fails_is_logged_and_the_others_are_closed(self, caplog: pytest.LogCaptureFixture):
        pool = self.pool()
        first, second = await pool.get(timeout=1), await pool.get(timeout=1)
        pool.put(first)
        pool.put(second)

        async def close(conn: str) -> None:
            if conn == second:
                raise OSError("gone")
            self.closed.append(conn)

        pool._close_cb = close
        await pool.aclose()
        assert self.closed == [first]
        assert "a connection failed while it was closed: gone" in caplog.text


def test_utils_are_light():
    code = "import sys, agent_runtime.utils; print('livekit.rtc' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"
    assert utils.nodename()
