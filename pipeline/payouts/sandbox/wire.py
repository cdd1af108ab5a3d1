"""HTTP below the application: a connection that can be cut without an answer, as a provider's may be."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

CUT = "sandbox.cut"


class CuttableProtocol(HttpToolsProtocol):
    """Puts into each request's extensions a way to cut its connection at once; ASGI itself knows none."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {CUT: {"abort": self.transport.abort}}
