"""Files that pages load: our own few, and Leaflet with its drawing tools from the wheel that ships them.

Nothing here is copied from elsewhere and nothing is loaded from another host: the maps work on a closed network.
"""

from importlib.util import find_spec
from pathlib import Path

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles

ASSETS = Path(__file__).resolve().parent.parent / "assets"
CACHE_S = 3600  # files change only with a release; an hour spares most requests and outlives no deployment day
LEAFLET_PATH = "/leaflet"


class CachedFiles(StaticFiles):
    """Static files that a browser may keep for an hour."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = f"public, max-age={CACHE_S}"
        return response


def leaflet_folder() -> Path:
    """The static folder of the django-leaflet wheel; found without importing it, since it would want Django."""
    spec = find_spec("leaflet")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the package django-leaflet is not installed: run make install")
    return Path(spec.submodule_search_locations[0]) / "static" / "leaflet"


def read_asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


ROUTES: list[BaseRoute] = [
    Mount("/assets", CachedFiles(directory=ASSETS)),
    Mount(LEAFLET_PATH, CachedFiles(directory=leaflet_folder())),
]
