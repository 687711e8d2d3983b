"""Getting into a room: tokens, the connection, and what is wrong when there is none."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

from livekit import rtc

from agent_runtime.access_token import participant_token
from agent_runtime.errors import RoomError
from agent_runtime.events.room import RoomInvitation
from agent_runtime.records import record
from agent_runtime.server_problems import NO_SERVER, explain_refusal

if TYPE_CHECKING:
    from agent_runtime.settings import LiveKitSettings

logger = logging.getLogger(__name__)

Kind: TypeAlias = Literal["agent", "standard"]

CONNECT_TIMEOUT: Final = 8.0
"""Seconds until a server that doesn't answer counts as none."""
MEET: Final = "https://meet.livekit.io/custom"
"""LiveKit's own page that joins any server; it is opened only if a person follows the link."""


@record(frozen=True, slots=True)
class Server:
    """A LiveKit server and the key to it. `from_settings` checks that all of it is there."""

    url: str
    key: str
    secret: str

    @classmethod
    def from_settings(cls, settings: LiveKitSettings) -> Server:
        """Raises RoomError, with what to do, if something is missing."""
        url, key, secret = settings.url, settings.api_key, settings.api_secret
        if url is None or key is None or secret is None:
            raise RoomError(NO_SERVER.format(missing=f"{', '.join(cls.missing(settings))} not set"))
        return cls(url, key.get_secret_value(), secret.get_secret_value())

    @staticmethod
    def missing(settings: LiveKitSettings) -> list[str]:
        """The settings that a server needs and that have no value."""
        needed = ("url", "api_key", "api_secret")
        return [f"livekit.{name}" for name in needed if getattr(settings, name) is None]

    def token(self, room: str, identity: str, *, kind: Kind = "standard", name: str = "") -> str:
        """Lets `identity` into `room` for some hours."""
        grants = {"roomJoin": True, "room": room, "canUpdateOwnMetadata": True}
        return participant_token(self.key, self.secret, identity, grants, kind=kind, name=name or identity)

    def invitation(self, room: str, identity: str = "guest", *, key: str | None = None) -> RoomInvitation:
        """What somebody else needs to join.

        With `key` the link's page encrypts by it. It stands behind the `#`, which browsers send to nobody.
        """
        token = self.token(room, identity)
        command = (
            f"lk room join --url {self.url} --api-key {self.key} --api-secret $LIVEKIT_API_SECRET "
            f"--identity {identity} {room}"
        )
        link = f"{MEET}?liveKitUrl={quote(self.url, safe='')}&token={token}"
        if key is not None:
            link += f"#{quote(key, safe='')}"
        return RoomInvitation(room, self.url, token, command, link)


async def connect(
    room: rtc.Room, server: Server, token: str, options: rtc.RoomOptions | None = None, *, timeout: float | None = None
) -> None:
    """Connect `room`. Raises RoomError that says what is wrong and what to do; never with the token in it."""
    seconds = CONNECT_TIMEOUT if timeout is None else timeout
    try:
        async with asyncio.timeout(seconds):
            await room.connect(server.url, token, options or rtc.RoomOptions())
    except TimeoutError:
        where = f"what is at {server.url} didn't answer within {seconds:g} s"
        raise RoomError(f"{where}: check that it is a LiveKit server (LIVEKIT_URL) and runs", retry=True) from None
    except rtc.ConnectError as exc:
        raise explain(exc.message, server) from None


def encrypted(settings: LiveKitSettings) -> rtc.RoomOptions:
    """Options of a connection with the shared key that is configured, if one is."""
    if settings.encryption_key is None:
        return rtc.RoomOptions()
    key = settings.encryption_key.get_secret_value().encode()
    return rtc.RoomOptions(encryption=rtc.E2EEOptions(rtc.KeyProviderOptions(shared_key=key)))


async def delete_room(name: str) -> None:
    """Delete a room of the server that the environment names, so that everybody leaves. What fails is logged."""
    import aiohttp
    from livekit import api

    try:
        async with asyncio.timeout(CONNECT_TIMEOUT), api.LiveKitAPI() as server:
            await server.room.delete_room(api.DeleteRoomRequest(room=name))
    except ValueError:
        logger.warning(
            "the room %s can't be deleted: LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET say where", name
        )
    except (api.TwirpError, aiohttp.ClientError, OSError, TimeoutError) as exc:
        logger.warning("the room %s wasn't deleted: %s", name, exc)


def explain(message: str, server: Server) -> RoomError:
    """What the SDK says when it can't connect, as an error that says what to do."""
    text, retry = explain_refusal(message, server.url, server.key)
    return RoomError(text, retry=retry)
