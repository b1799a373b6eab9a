"""Static files of all apps, straight from where they are installed: nothing is collected first.

They are served before Django sees the request, so they cost no middleware, no lane and no thread of their own:
servestatic would start a thread for every file, so here one thread reads them all.
"""

import asyncio
from pathlib import Path
from typing import Any
from wsgiref.headers import Headers

from django.conf import settings
from django.contrib.staticfiles import finders
from servestatic import ServeStaticASGI
from servestatic.responders import MissingFileError, Redirect, StaticFile

from parlant_site.common.lanes import Application, Lane, Scope


class StaticFiles(ServeStaticASGI):
    """Answer requests below STATIC_URL that name a file; leave the others to the application."""

    def __init__(self, application: Application) -> None:
        # A developer sees a changed file at once; in production the files are listed once, at the start.
        super().__init__(
            application,
            autorefresh=settings.DEBUG,
            max_age=0 if settings.DEBUG else 3600,
            allow_all_origins=False,
            add_headers_function=_add_security_headers,
        )
        self.reader = Lane("static-files")
        if not settings.DEBUG:
            for finder in finders.get_finders():
                for path, storage in finder.list(None):
                    self.files.setdefault(self._url(path), self.get_static_file(storage.path(path), self._url(path)))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(settings.STATIC_URL):
            await self.application(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self.reader, self._answer, scope) if self._may_exist(scope) else None
        if found is None:
            await self.application(scope, receive, send)
            return
        status, headers, body = found
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _may_exist(self, scope: Scope) -> bool:
        return self.autorefresh or scope["path"] in self.files

    def _answer(self, scope: Scope) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
        url = scope["path"]
        file = self._look_up(url) if self.autorefresh else self.files[url]
        if file is None:
            return None
        asked = {
            f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
            for name, value in scope["headers"]
        }
        response = file.get_response(scope["method"], asked)
        headers = [(name.lower().encode(), value.encode()) for name, value in response.headers if value is not None]
        if response.file is None:
            return int(response.status), headers, b""
        with response.file as opened:
            return int(response.status), headers, opened.read()

    def _look_up(self, url: str) -> StaticFile | Redirect | None:
        path = finders.find(url.removeprefix(settings.STATIC_URL)) if self.url_is_canonical(url) else None
        if not path or not Path(path).is_file():
            return None
        try:
            return self.get_static_file(path, url)
        except MissingFileError:
            return None

    @staticmethod
    def _url(path: str) -> str:
        return settings.STATIC_URL + path.replace("\\", "/")


def _add_security_headers(headers: Headers, path: str, url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
