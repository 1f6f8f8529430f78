"""Streamlit started in this process. It listens on this machine only; where people sign in from others, a web server
that speaks HTTPS stands before it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assistant.errors import RefdeskError

ADDRESS = "127.0.0.1"
_MAIN = Path(__file__).with_name("main.py")
_OPTIONS: dict[str, Any] = {
    "server_address": ADDRESS,
    "server_headless": True,
    # Pages of other sites must not reach the app through a name of their own.
    "server_allowedHosts": ["localhost", ADDRESS],
    "server_fileWatcherType": "none",
    "browser_gatherUsageStats": False,
    "client_toolbarMode": "minimal",
    "client_showErrorDetails": "none",
    "logger_hideWelcomeMessage": True,
    "logger_level": "warning",
    "theme_base": "light",
    "theme_primaryColor": "#0b5cad",
    "theme_linkColor": "#0b5cad",
    "theme_textColor": "#1b2230",
    "theme_borderColor": "#c3cad6",
}


def serve(library: Path, port: int, groups: str) -> None:
    """Runs the app until SIGINT or SIGTERM. Call it from the main thread.

    Raises RefdeskError where the port cannot be used, SettingsError where the sign-in is not set up as it must be.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise RefdeskError(
                f"Port {port} of {ADDRESS} cannot be used ({error.strerror}). Name another with --port."
            ) from error
    from streamlit.web import bootstrap

    from app import sign_in

    os.environ["REFDESK_LIBRARY"] = str(library)
    os.environ["REFDESK_GROUPS"] = groups
    options = {**_OPTIONS, "server_port": port}
    bootstrap.load_config_options(options)
    url = f"http://localhost:{port}"
    if section := sign_in.provider(groups):
        url = sign_in.address(section, port)
        options["server_allowedHosts"] = [*_OPTIONS["server_allowedHosts"], urlsplit(url).hostname]
        bootstrap.load_config_options(options)
    for number in (signal.SIGINT, signal.SIGTERM):  # until Streamlit sets its own, which end it as quietly
        signal.signal(number, lambda *_: sys.exit(0))
    threading.Thread(target=_announce, args=(port, url), daemon=True).start()
    bootstrap.run(str(_MAIN), False, [], options)


def _announce(port: int, url: str) -> None:
    """Says where the app is once it answers, so that nobody is sent there too early."""
    while True:
        asked = http.client.HTTPConnection(ADDRESS, port, timeout=5)
        try:
            asked.request("GET", "/_stcore/health")
            if asked.getresponse().status == http.HTTPStatus.OK:
                break
        except OSError:
            time.sleep(0.1)
        finally:
            asked.close()
    print(f"Refdesk is at {url} (Ctrl-C ends it).", flush=True)  # noqa: T201
