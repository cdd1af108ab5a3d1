"""The console's static routes and headers around one page with one map: no database, no sign-in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.routes import static
from dashboard.routes.gate import SecurityHeaders
from dashboard.widgets import map as maps


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """As the console does."""
    maps.register()
    yield


app = st.App(Path(__file__).with_name("page.py"), routes=static.ROUTES, middleware=[Middleware(SecurityHeaders)], lifespan=lifespan)
