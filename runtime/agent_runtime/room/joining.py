"""Getting into a room: tokens, the connection, and what is wrong when there is none."""

from __future__ import annotations

import asyncio
import datetime
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import quote

from livekit import rtc

from agent_runtime.errors import RoomError
from agent_runtime.events.room import RoomInvitation
from agent_runtime.redaction import without_shapes

if TYPE_CHECKING:
    from agent_runtime.settings import LiveKitSettings

logger = logging.getLogger(__name__)

Kind: TypeAlias = Literal["agent", "standard"]

CONNECT_TIMEOUT: Final = 8.0
"""Seconds until a server that doesn't answer counts as none."""
TOKEN_LIFE: Final = datetime.timedelta(hours=6)
MEET: Final = "https://meet.livekit.io/custom"
"""LiveKit's own page that joins any server; it is opened only if a person follows the link."""
_NO_SERVER: Final = (
    "no LiveKit server is configured ({missing}): set LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET, in a .env "
    "beside the agent for instance; for a server of your own `livekit-server --dev` has ws://127.0.0.1:7880, devkey "
    "and secret"
)

_PROBLEMS: Final[tuple[tuple[str, str, bool], ...]] = (
    ("invalid api key", "the server doesn't know the key {key}: check livekit.api_key (LIVEKIT_API_KEY)", False),
    ("token is expired", "the token has expired: make a new one, and compare this machine's clock ({now})", False),
    (
        "not valid yet",
        "the token isn't valid yet by the server's clock: this machine's ({now}) is ahead; set it right",
        False,
    ),
    ("issued in the future", "the token is from the future by the server's clock: set this machine's ({now})", False),
    (
        "cryptographic",
        "the secret isn't that of the key {key}: check livekit.api_secret (LIVEKIT_API_SECRET)",
        False,
    ),
    ("401", "the server at {url} doesn't accept the token: check livekit.api_key and livekit.api_secret", False),
    ("403", "the token doesn't allow to join this room: it needs the grant roomJoin for it", False),
    ("lookup address", "there is no host of the name in {url}: check livekit.url (LIVEKIT_URL)", False),
    ("connection refused", "nothing listens at {url}: start the server, or check livekit.url (LIVEKIT_URL)", True),
    ("parse the url", "{url} is no URL of a LiveKit server: it begins with ws:// or wss:// (LIVEKIT_URL)", False),
    ("contenttype", "the server at {url} speaks no TLS: use ws:// (LIVEKIT_URL)", False),
    ("500", "the server at {url} refused to let the agent in: the room may be full; see the server's log", True),
    ("protocol error", "what answers at {url} is no LiveKit server: check livekit.url (LIVEKIT_URL)", False),
    ("connection reset", "what is at {url} closed the connection: check that it is a LiveKit server", True),
    ("404", "what answers at {url} is no LiveKit server: check livekit.url (LIVEKIT_URL)", False),
    ("502", "the server at {url} is not available for now", True),
    ("503", "the server at {url} is not available for now", True),
)
"""What the SDK's message contains → what is wrong and what to do, and whether it may pass."""


@dataclass(frozen=True, slots=True)
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
            named = {"livekit.url": url, "livekit.api_key": key, "livekit.api_secret": secret}
            missing = ", ".join(name for name, value in named.items() if value is None)
            raise RoomError(_NO_SERVER.format(missing=f"{missing} not set"))
        return cls(url, key.get_secret_value(), secret.get_secret_value())

    def token(self, room: str, identity: str, *, kind: Kind = "standard", name: str = "") -> str:
        """Lets `identity` into `room` for `TOKEN_LIFE`."""
        from livekit import api

        grants = api.VideoGrants(room_join=True, room=room, can_update_own_metadata=True)
        made = api.AccessToken(self.key, self.secret).with_identity(identity).with_name(name or identity)
        return made.with_grants(grants).with_kind(kind).with_ttl(TOKEN_LIFE).to_jwt()

    def invitation(self, room: str, identity: str = "guest") -> RoomInvitation:
        """What somebody else needs to join."""
        token = self.token(room, identity)
        command = (
            f"lk room join --url {self.url} --api-key {self.key} --api-secret $LIVEKIT_API_SECRET "
            f"--identity {identity} {room}"
        )
        link = f"{MEET}?liveKitUrl={quote(self.url, safe='')}&token={token}"
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
    shown = without_shapes(message)
    lower = shown.lower()
    for part, text, retry in _PROBLEMS:
        if part in lower:
            now = datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S UTC")
            return RoomError(text.format(url=server.url, key=server.key, now=now), retry=retry)
    return RoomError(f"can't connect to {server.url}: {shown}", retry=True)
