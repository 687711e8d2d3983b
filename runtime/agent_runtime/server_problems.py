"""Why a LiveKit server doesn't let somebody in, and what to do about it."""

from __future__ import annotations

import datetime
from typing import Final

from agent_runtime.redaction import without_shapes

NO_SERVER: Final = (
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
    (
        "certificate",
        "the certificate of {url} isn't one that this machine trusts: use its real name (LIVEKIT_URL), or have "
        "SSL_CERT_FILE name the authority that signed it",
        False,
    ),
    ("contenttype", "the server at {url} speaks no TLS: use ws:// (LIVEKIT_URL)", False),
    ("500", "the server at {url} refused to let the agent in: the room may be full; see the server's log", True),
    ("protocol error", "what answers at {url} is no LiveKit server: check livekit.url (LIVEKIT_URL)", False),
    ("connection reset", "what is at {url} closed the connection: check that it is a LiveKit server", True),
    ("404", "what answers at {url} is no LiveKit server: check livekit.url (LIVEKIT_URL)", False),
    ("502", "the server at {url} is not available for now", True),
    ("503", "the server at {url} is not available for now", True),
)
"""What the message contains → what is wrong and what to do, and whether it may pass."""


def explain_refusal(message: str, url: str, key: str) -> tuple[str, bool]:
    """What is wrong by a message of a server's or of the network's, and whether trying again may help.

    Never with a token in it.
    """
    shown = without_shapes(message)
    lower = shown.lower()
    for part, text, retry in _PROBLEMS:
        if part in lower:
            now = datetime.datetime.now(datetime.UTC).strftime("%H:%M:%S UTC")
            return text.format(url=url, key=key, now=now), retry
    return f"can't connect to {url}: {shown}", True
