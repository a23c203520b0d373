"""Serves the dashboard to this computer."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs, urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import optuna

from archlab.errors import BadInput, require
from archlab.report.dashboard.pictures import Pictures
from archlab.report.dashboard.storage import RecordsStorage
from archlab.study.study import Study

HOST = "127.0.0.1"


@contextmanager
def open_dashboard(study: Study, port: int) -> Iterator[WSGIServer]:
    """A server of the dashboard on 127.0.0.1, for ``serve_forever``; `address` is where to look.

    Args:
        port: 0 takes one that is free.

    Raises:
        MissingExtra: optuna-dashboard is not installed.
        BadInput: the port is taken or reserved.
    """
    dashboard = require("optuna_dashboard", "the dashboard", "dashboard")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = RecordsStorage(study)
    with Pictures(study) as pictures:
        app = _ReadOnly(dashboard.wsgi(storage, artifact_store=pictures), storage)
        try:
            server = make_server(HOST, port, app, server_class=_Server, handler_class=_Silent)
        except OSError as error:
            raise BadInput(f"port {port}: {error.strerror or error}; choose another with --port") from None
        with server:
            yield server


def address(server: WSGIServer) -> str:
    """Where the study's page is."""
    return f"http://{HOST}:{server.server_port}/dashboard/studies/0"


class _ReadOnly:
    """The dashboard's application, kept up with the study and kept from changing anything.

    Only requests by the address that was printed are answered, so that no page from elsewhere reads the study under a
    name of its own that it lets point here.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], storage: RecordsStorage) -> None:
        self.app, self.storage = app, storage

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = _host(environ.get("HTTP_HOST", ""))
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD") or host not in (HOST, "localhost"):
            start_response("403 Forbidden", [("Content-Type", "application/json")])
            return [b'{"reason": "archlab shows this study and changes nothing"}']
        after = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("after", [])
        if not all(re.fullmatch("[0-9]{1,9}", number) for number in after):
            start_response("400 Bad Request", [("Content-Type", "application/json")])
            return [b'{"reason": "after: must be the number of a trial"}']
        if environ["PATH_INFO"].startswith("/api/studies"):
            self.storage.refresh()
        return self.app(environ, start_response)


def _host(header: str) -> str | None:
    """Of a request's ``Host``, which has the port only where it is not HTTP's own, 80."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        logging.getLogger(__name__).debug(format, *arguments)
