"""Frames of video as pictures that can be sent. Needs Pillow (`pip install 'agent-console[video]'`)."""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from agent_runtime.errors import MissingDependencyError

if TYPE_CHECKING:
    from livekit.rtc import VideoFrame

__all__ = ["EncodeOptions", "ResizeOptions", "encode"]

Strategy = Literal["center_aspect_fit", "center_aspect_cover", "scale_aspect_fit", "scale_aspect_cover", "skew"]

INSTALL: Final = "pip install 'agent-console[video]'"


@dataclass
class ResizeOptions:
    """To which size, in pixels, and how."""

    width: int
    height: int
    strategy: Strategy
    """`skew` gives exactly that size, whatever becomes of the shape. `scale_aspect_fit` keeps the shape, inside of it;
    `scale_aspect_cover` keeps it and covers all of the size, or more. `center_aspect_fit` and `center_aspect_cover` do
    the same and then give exactly that size: with black borders, or cut off around the middle.
    """


@dataclass
class EncodeOptions:
    """How a picture is made of a frame."""

    format: Literal["JPEG", "PNG"] = "JPEG"
    resize_options: ResizeOptions | None = None
    """None: the frame's own size."""
    quality: int | None = 75
    """Of JPEG, from 0 to 100; None leaves it to Pillow."""


def encode(frame: VideoFrame, options: EncodeOptions) -> bytes:
    """The picture, encoded. Raises ValueError for an unknown strategy, `MissingDependencyError` without Pillow."""
    from livekit.rtc import VideoBufferType

    image = _pillow()
    rgba = frame if frame.type == VideoBufferType.RGBA else frame.convert(VideoBufferType.RGBA)
    picture = image.frombytes("RGBA", (rgba.width, rgba.height), bytes(rgba.data)).convert("RGB")
    if options.resize_options is not None:
        picture = _resized(image, picture, options.resize_options)
    out = io.BytesIO()
    quality = {"quality": options.quality} if options.format == "JPEG" and options.quality is not None else {}
    picture.save(out, options.format, **quality)
    return out.getvalue()


def _pillow() -> Any:
    try:
        return importlib.import_module("PIL.Image")  # optional, so type checkers don't find it
    except ImportError:
        raise MissingDependencyError("Pillow, which encodes video frames,", INSTALL) from None


def _resized(image: Any, picture: Any, options: ResizeOptions) -> Any:
    wanted = (options.width, options.height)
    if options.strategy not in get_args(Strategy):
        raise ValueError(f"there is no strategy {options.strategy!r}: use {', '.join(get_args(Strategy))}")
    if options.strategy == "skew":
        return picture.resize(wanted)
    ratios = (options.width / picture.width, options.height / picture.height)
    scale = min(ratios) if options.strategy.endswith("fit") else max(ratios)
    scaled = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    if options.strategy.startswith("scale"):
        return scaled
    canvas = image.new("RGB", wanted)
    canvas.paste(scaled, ((options.width - scaled.width) // 2, (options.height - scaled.height) // 2))
    return canvas
