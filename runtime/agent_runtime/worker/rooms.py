"""Finding a room on a server by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit.protocol import models

    from agent_runtime.worker.channel import ServerAddress


async def find_room(address: ServerAddress, name: str) -> models.Room:
    """The room of this name, made if it isn't there. Raises WorkerError that says what is wrong."""
    import aiohttp
    from livekit import api

    try:
        async with api.LiveKitAPI(address.url, address.key, address.secret) as server:
            found = await server.room.list_rooms(api.ListRoomsRequest(names=[name]))
            if found.rooms:
                return found.rooms[0]
            return await server.room.create_room(api.CreateRoomRequest(name=name))
    except api.TwirpError as exc:
        raise address.explain(f"{exc.message} (status {exc.status})") from None
    except (aiohttp.ClientError, OSError) as exc:
        raise address.explain(f"connection refused: {exc}") from None
