"""What is told of a server that doesn't let the agent in."""

from __future__ import annotations

import time
from urllib.parse import unquote

import pytest
from livekit import api

from agent_runtime.errors import RoomError
from agent_runtime.room.joining import Server, explain
from agent_runtime.settings import LiveKitSettings

SERVER = Server("ws://there:7880", "key", "secret-of-a-server-that-only-tests-use")
TOKEN = "eyJhbGciOiJ404.eyJ2aWRlbyI6401500.c2lnbmF0dXJl"


def test_a_token_is_neither_shown_nor_read_for_a_reason() -> None:
    error = explain(f"something new: {TOKEN}", SERVER)
    assert "something new: ********" in str(error)
    assert error.retry


@pytest.mark.parametrize(
    ("message", "says", "retry"),
    [
        ("401 - go-jose/jwt: validation failed, token not valid yet (nbf)", "ahead; set it right", False),
        ("client error: 401 Unauthorized", "doesn't accept the token", False),
        ("IO error: Connection refused (os error 111)", "nothing listens at ws://there:7880", True),
        ("handshake error: 500 Internal Server Error", "room may be full", True),
        ("handshake error: 404 Not Found", "no LiveKit server", False),
    ],
)
def test_each_problem_says_what_to_do(message: str, says: str, retry: bool) -> None:
    error = explain(message, SERVER)
    assert says in str(error)
    assert error.retry is retry


def test_what_is_missing_is_named() -> None:
    with pytest.raises(RoomError, match=r"livekit.api_key, livekit.api_secret not set.*livekit-server --dev"):
        Server.from_settings(LiveKitSettings(url="ws://there"))


def test_a_link_to_an_encrypted_room_holds_its_key_and_is_written_down_without_it() -> None:
    invitation = SERVER.invitation("desk", key="größe #1/2")
    address, _, key = invitation.link.partition("#")
    assert unquote(key) == "größe #1/2"
    assert address.endswith(f"&token={invitation.token}")
    assert "#" not in key
    written = invitation.without_token()
    assert key not in repr(written)
    assert invitation.token not in repr(written)
    assert written.link.endswith("&token=<token>#<key>")
    open_room = SERVER.invitation("desk")
    assert "#" not in open_room.link
    assert open_room.without_token().link.endswith("&token=<token>")


def test_a_token_is_one_of_livekits() -> None:
    claims = api.TokenVerifier("key", SERVER.secret).verify(SERVER.token("room", "me", kind="agent"))
    assert (claims.kind, claims.identity, claims.name) == ("agent", "me", "me")
    assert claims.video is not None
    assert (claims.video.room, claims.video.room_join, claims.video.can_update_own_metadata) == ("room", True, True)


def test_a_token_doesnt_wait_for_a_server_whose_clock_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = time.time() + 7200
    monkeypatch.setattr("time.time", lambda: ahead)
    token = SERVER.token("room", "me")
    monkeypatch.undo()
    assert api.TokenVerifier("key", SERVER.secret).verify(token).identity == "me"
