"""What a chat message is made of besides text."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, PrivateAttr, Tag, TypeAdapter
from pydantic_core import core_schema

from agent_runtime.lazy_model import LazyModel
from agent_runtime.utils.ids import shortuuid

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame, VideoFrame
else:
    # livekit.rtc loads its native library when it is imported, which a conversation of text never needs. These stand in
    # for its classes until a model is given something that isn't text.

    class _FrameSchema:
        @classmethod
        def __get_pydantic_core_schema__(cls, *_: Any) -> core_schema.CoreSchema:
            return core_schema.no_info_plain_validator_function(
                lambda value: _as_frame(cls.__name__, value),
                serialization=core_schema.plain_serializer_function_ser_schema(
                    lambda frame: _frame_adapter(cls.__name__).dump_python(frame, mode="json")
                ),
            )

        @classmethod
        def __get_pydantic_json_schema__(cls, *_: Any) -> dict[str, Any]:
            return {"type": "object", "title": cls.__name__}

    class AudioFrame(_FrameSchema):
        """Stands in for `livekit.rtc.AudioFrame`."""

    class VideoFrame(_FrameSchema):
        """Stands in for `livekit.rtc.VideoFrame`."""


@functools.cache
def _frame_adapter(name: str) -> TypeAdapter[Any]:
    from livekit import rtc

    return TypeAdapter(getattr(rtc, name))


def _as_frame(name: str, value: Any) -> Any:
    try:
        return _frame_adapter(name).validate_python(value)
    except (TypeError, KeyError) as e:  # what livekit.rtc raises, and pydantic lets through
        raise ValueError(f"not a {name}: {e}") from None


class ImageContent(LazyModel):
    """A picture: a URL (also `data:`) or a frame of video."""

    id: str = Field(default_factory=lambda: shortuuid("img_"))
    type: Literal["image_content"] = "image_content"
    image: str | VideoFrame
    inference_width: int | None = None
    """Pixels that a video frame is scaled to; URLs are sent as they are."""
    inference_height: int | None = None
    """Pixels that a video frame is scaled to; URLs are sent as they are."""
    inference_detail: Literal["auto", "high", "low"] = "auto"
    """How closely the model looks, where the provider lets one choose."""
    mime_type: str | None = None
    _cache: dict[Any, Any] = PrivateAttr(default_factory=dict)


class AudioContent(LazyModel):
    """Sound, and what was said in it."""

    type: Literal["audio_content"] = "audio_content"
    frame: list[AudioFrame]
    transcript: str | None = None


class CacheBreakpoint(LazyModel):
    """Marks that what comes before it stays the same between requests, for providers that cache prompts by such marks.

    Others never see it.
    """

    model_config = ConfigDict(extra="forbid")

    type: Literal["cache_breakpoint"] = "cache_breakpoint"


def _content_type(value: Any) -> Any:
    if isinstance(value, str):
        return "text"
    return value.get("type") if isinstance(value, dict) else getattr(value, "type", None)


ChatContent: TypeAlias = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[ImageContent, Tag("image_content")]
    | Annotated[AudioContent, Tag("audio_content")]
    | Annotated[CacheBreakpoint, Tag("cache_breakpoint")],
    # By type and not by trial, since an empty object would pass for a mark.
    Discriminator(_content_type),
]
