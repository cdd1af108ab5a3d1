"""An application with an ear at its token endpoint: what was asked there last, and what it answered, for the packets 01/05 and 01/06."""

import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.hrms.app import TOKEN


@dataclass
class Exchange:
    """One request and its answer."""

    headers: dict[str, str] = field(default_factory=dict)
    sent: bytes = b""
    status: int = 0
    answered: bytes = b""

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.sent.decode()))

    @property
    def answer(self) -> dict[str, Any]:
        return dict(json.loads(self.answered)) if self.answered else {}


class Overheard:
    """ASGI around the stand-in HRMS. Keeps the last exchange alone; the replay's accounts are made up."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.last = Exchange()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != TOKEN:
            await self.app(scope, receive, send)
            return
        heard = Exchange({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})

        async def hear() -> Message:
            message: MutableMapping[str, Any] = await receive()
            heard.sent += message.get("body", b"")
            return message

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                heard.status = message["status"]
            heard.answered += message.get("body", b"")
            await send(message)

        self.last = heard
        await self.app(scope, hear, tell)
