"""Pictures as vendors take them: a URL, or the bytes of an encoded image."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Literal

from agent_runtime.errors import MediaError
from agent_runtime.llm.content import ImageContent
from agent_runtime.records import record

if TYPE_CHECKING:
    from livekit.rtc import VideoFrame

SUPPORTED_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif")


@record(frozen=True, slots=True)
class SerializedImage:
    """A picture, ready to be sent: either `external_url` or `data_bytes` with its `mime_type`."""

    inference_detail: Literal["auto", "high", "low"]
    mime_type: str | None
    data_bytes: bytes | None = None
    external_url: str | None = None

    @property
    def url(self) -> str:
        """The URL; that of bytes has them inside."""
        if self.data_bytes is None:
            return self.external_url or ""
        return f"data:{self.mime_type};base64,{self.base64}"

    @property
    def base64(self) -> str:
        """The bytes as text."""
        return base64.b64encode(self.data_bytes or b"").decode("ascii")


def serialize_image(image: ImageContent, *, use_cache: bool = True) -> SerializedImage:
    """Encode a picture once; a frame of video as JPEG, fitted into `inference_width` by `inference_height`.

    Raises `MediaError` for a `data:` URL that can't be used, `MissingDependencyError` for a frame without Pillow.
    """
    if not use_cache or "serialized" not in image._cache:
        image._cache["serialized"] = _serialize(image)
    cached: SerializedImage = image._cache["serialized"]
    return cached


def _serialize(image: ImageContent) -> SerializedImage:
    if not isinstance(image.image, str):
        return SerializedImage(image.inference_detail, "image/jpeg", data_bytes=_jpeg(image.image, image))
    if not image.image.startswith("data:"):
        return SerializedImage(image.inference_detail, image.mime_type, external_url=image.image)
    header, _, encoded = image.image.partition(",")
    mime_type = image.mime_type or header.removeprefix("data:").split(";")[0]
    if mime_type not in SUPPORTED_TYPES:
        raise MediaError(f"a picture of the type {mime_type!r} can't be sent: use {', '.join(SUPPORTED_TYPES)}")
    try:
        data = base64.b64decode(encoded, validate=True)
    except binascii.Error as e:
        raise MediaError(f"the data: URL of the picture {image.id} isn't base64: {e}") from None
    return SerializedImage(image.inference_detail, mime_type, data_bytes=data)


def _jpeg(frame: VideoFrame, image: ImageContent) -> bytes:
    from agent_runtime.utils.images import EncodeOptions, ResizeOptions, encode

    resize = None
    width, height = image.inference_width, image.inference_height
    # A small picture doesn't get clearer by being larger.
    if width and height and (frame.width > width or frame.height > height):
        resize = ResizeOptions(width, height, "scale_aspect_fit")
    return encode(frame, EncodeOptions(resize_options=resize))
