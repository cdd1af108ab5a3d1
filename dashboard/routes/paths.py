"""Where a person may be sent on to inside the console."""

from urllib.parse import urlsplit

MAX_NEXT = 512


def safe_next(wanted: str | None) -> str:
    """A path of this console, whatever was asked for: never another host, never the sign-in itself."""
    if not wanted or len(wanted) > MAX_NEXT or not wanted.startswith("/") or "\\" in wanted or not wanted.isprintable():
        return "/"
    parts = urlsplit(wanted)
    if parts.scheme or parts.netloc or wanted.startswith("//") or parts.path.startswith("/auth/"):
        return "/"
    return wanted
