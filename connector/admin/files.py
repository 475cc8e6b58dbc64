"""The page's files, as they are served: each under its own name, read from the package when the first is asked for.

Owns which files there are and their types. They hold no data: whoever has none of the tokens may have them.
"""

from functools import cached_property
from importlib.resources import files

from aiohttp import web

ASSET = r"/{name:[a-z-]+\.(?:css|js|svg)}"
"""The paths of what a page asks for. The pages themselves are not among them: who may see those is asked first."""

_TYPES = {
    "html": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}


class Files:
    """The files of the folder `page`."""

    @cached_property
    def _texts(self) -> dict[str, str]:
        folder = files("connector.admin") / "page"
        return {one.name: one.read_text("utf-8") for one in folder.iterdir()}

    def text(self, name: str) -> str:
        """What the file holds."""
        return self._texts[name]

    def answer(self, name: str) -> web.Response:
        """The file as an answer; 404 where there is none of this name."""
        if name not in self._texts:
            raise web.HTTPNotFound
        return web.Response(text=self._texts[name], content_type=_TYPES[name.rpartition(".")[2]])
