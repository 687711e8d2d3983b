"""What a session hears with and speaks through; each end can be changed in mid-conversation."""

from __future__ import annotations

from collections.abc import Callable

from agent_runtime.io import AudioInput, AudioOutput, Background, TextOutput, VideoInput, VideoOutput


def _nothing() -> None:
    return None


class AgentInput:
    """`session.input`."""

    def __init__(self, on_change: Callable[[], None] = _nothing) -> None:
        self._on_change = on_change
        self._audio: AudioInput | None = None
        self._audio_enabled = True
        self._video: VideoInput | None = None
        self._video_enabled = True

    @property
    def audio(self) -> AudioInput | None:
        """The microphone, or what stands for it. Setting it changes over at once; None listens to nothing."""
        return self._audio

    @audio.setter
    def audio(self, source: AudioInput | None) -> None:
        if source is self._audio:
            return
        old, self._audio = self._audio, source
        if old is not None:
            old.on_detached()
        if source is not None:
            source.on_attached()
        self._on_change()

    @property
    def audio_enabled(self) -> bool:
        """Whether it is listened to."""
        return self._audio_enabled

    def set_audio_enabled(self, enable: bool) -> None:
        """Listen to `audio`, or don't for now."""
        if enable != self._audio_enabled:
            self._audio_enabled = enable
            self._on_change()

    @property
    def video(self) -> VideoInput | None:
        """What the agent sees. Setting it changes over at once."""
        return self._video

    @video.setter
    def video(self, source: VideoInput | None) -> None:
        if source is self._video:
            return
        old, self._video = self._video, source
        if old is not None and self._video_enabled:
            old.on_detached()
        if source is not None and self._video_enabled:
            source.on_attached()
        self._on_change()

    @property
    def video_enabled(self) -> bool:
        """Whether it is looked at."""
        return self._video_enabled

    def set_video_enabled(self, enable: bool) -> None:
        """Look at `video`, or don't for now: the camera is let go."""
        if enable == self._video_enabled:
            return
        self._video_enabled = enable
        if self._video is not None:
            if enable:
                self._video.on_attached()
            else:
                self._video.on_detached()
        self._on_change()

    @property
    def active_video(self) -> VideoInput | None:
        """`video` if it is to be looked at."""
        return self._video if self._video_enabled else None


class AgentOutput:
    """`session.output`."""

    def __init__(self, on_change: Callable[[], None] = _nothing) -> None:
        self._on_change = on_change
        self._audio: AudioOutput | None = None
        self._transcription: TextOutput | None = None
        self._video: VideoOutput | None = None
        self._video_enabled = True
        self._audio_enabled = True
        self._transcription_enabled = True
        self._background: Background | None = None
        self._plays_background = False

    @property
    def audio(self) -> AudioOutput | None:
        """The speaker, or what stands for it. A speech that plays on the old one counts as cut there."""
        return self._audio

    @audio.setter
    def audio(self, sink: AudioOutput | None) -> None:
        if sink is self._audio:
            return
        old, self._audio = self._audio, sink
        # The session first takes stock of what the old one has played.
        self._on_change()
        if old is not None:
            old.set_background(None)
            old.on_detached()
        if sink is not None:
            sink.on_attached()
        self.background = self._background

    def replace_audio_tail(self, sink: AudioOutput) -> None:
        """Change over to another output at the end of the chain; the layers over it stay. What plays is cut."""
        layer, tail = None, self._audio
        while tail is not None and tail.next_in_chain is not None:
            layer, tail = tail, tail.next_in_chain
        if layer is None or tail is None:
            self.audio = sink
        elif tail is not sink:
            tail.flush()
            tail.clear_buffer()
            layer._chain(sink)
            tail.set_background(None)
            tail.on_detached()
            sink.on_attached()
            self.background = self._background

    @property
    def background(self) -> Background | None:
        """What lies under the agent's speech, on whichever output it is."""
        return self._background

    @background.setter
    def background(self, background: Background | None) -> None:
        self._background = background
        taken = self._audio is not None and self._audio.set_background(background)
        self._plays_background = taken and background is not None

    @property
    def plays_background(self) -> bool:
        """Whether the output that is used now plays `background`."""
        return self._plays_background

    @property
    def transcription(self) -> TextOutput | None:
        """Where the agent's words go as they are heard."""
        return self._transcription

    @transcription.setter
    def transcription(self, sink: TextOutput | None) -> None:
        if sink is self._transcription:
            return
        old, self._transcription = self._transcription, sink
        self._on_change()
        if old is not None:
            old.on_detached()
        if sink is not None:
            sink.on_attached()

    @property
    def audio_enabled(self) -> bool:
        """Whether replies are spoken; if not, they are text alone."""
        return self._audio_enabled

    def set_audio_enabled(self, enabled: bool) -> None:
        """Speak through `audio`, or don't for now. What plays already goes on."""
        if enabled != self._audio_enabled:
            self._audio_enabled = enabled
            self._on_change()

    @property
    def transcription_enabled(self) -> bool:
        """Whether `transcription` gets the agent's words."""
        return self._transcription_enabled

    def set_transcription_enabled(self, enabled: bool) -> None:
        """Send words to `transcription`, or don't for now."""
        self._transcription_enabled = enabled

    @property
    def video(self) -> VideoOutput | None:
        """Where the agent's picture goes, for those who make one."""
        return self._video

    @video.setter
    def video(self, sink: VideoOutput | None) -> None:
        if sink is self._video:
            return
        old, self._video = self._video, sink
        if old is not None and self._video_enabled:
            old.on_detached()
        if sink is not None and self._video_enabled:
            sink.on_attached()

    @property
    def video_enabled(self) -> bool:
        """Whether `video` is to be used."""
        return self._video_enabled

    def set_video_enabled(self, enabled: bool) -> None:
        """Use `video`, or don't for now."""
        if enabled == self._video_enabled:
            return
        self._video_enabled = enabled
        if self._video is not None:
            if enabled:
                self._video.on_attached()
            else:
                self._video.on_detached()

    @property
    def active_audio(self) -> AudioOutput | None:
        """`audio` if it is to be used."""
        return self._audio if self._audio_enabled else None

    @property
    def active_transcription(self) -> TextOutput | None:
        """`transcription` if it is to be used."""
        return self._transcription if self._transcription_enabled else None
