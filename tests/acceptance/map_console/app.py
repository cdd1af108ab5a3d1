"""The console's static routes and headers around one page with one map: no database, no sign-in."""

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from dashboard.routes import static
from dashboard.routes.gate import SecurityHeaders

app = st.App(Path(__file__).with_name("page.py"), routes=static.ROUTES, middleware=[Middleware(SecurityHeaders)])
