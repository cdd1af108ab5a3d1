"""What the console answers beside Streamlit's own pages: sign-in and sign-out, static files, and the gate before all."""

from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from dashboard.routes import auth, static
from dashboard.routes.gate import Gate, SecurityHeaders


def routes() -> list[BaseRoute]:
    return [*auth.ROUTES, *static.ROUTES]


def middleware() -> list[Middleware]:
    return [Middleware(SecurityHeaders), Middleware(Gate)]
