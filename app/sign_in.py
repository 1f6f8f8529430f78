"""Who uses the app: signed in by OpenID Connect where Streamlit has an `[auth]` section, else in the groups given.

Streamlit keeps the claims of the ID token in a signed cookie. They are judged again at every run of a page, so a group
that is taken out of the file of groups, or a sign-in that has become too old, counts from the next click on.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError

from assistant.cli_options import comma_separated
from assistant.errors import SettingsError
from assistant.people import Caller, People

_WANTED = ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url")
_SECRET_LENGTH = 32
_BACK_AT = "/oauth2callback"


def provider(groups: str) -> dict[str, Any]:
    """The `[auth]` section of Streamlit's secrets; empty where there is none.

    Raises SettingsError where the secrets cannot be read, the section lacks something, or `groups` are given beside it:
    everyone would have them.
    """
    try:
        section = st.secrets.to_dict().get("auth")
    except StreamlitSecretNotFoundError as error:
        if any(Path(file).exists() for file in st.get_option("secrets.files")):
            raise SettingsError(f"Streamlit's secrets cannot be read: {error}") from error
        return {}
    if section is None:
        return {}
    if not isinstance(section, Mapping) or (missing := [key for key in _WANTED if not section.get(key)]):
        raise SettingsError(f"[auth] in Streamlit's secrets.toml must have {', '.join(missing or _WANTED)}.")
    if len(str(section["cookie_secret"])) < _SECRET_LENGTH:
        raise SettingsError(
            f"cookie_secret in [auth] of Streamlit's secrets.toml must have {_SECRET_LENGTH} characters or more: who "
            "guesses it can be anybody. `openssl rand -hex 32` makes one."
        )
    if not str(section["redirect_uri"]).endswith(_BACK_AT):
        raise SettingsError(f"redirect_uri in [auth] of Streamlit's secrets.toml must end in {_BACK_AT}.")
    if groups.strip():
        raise SettingsError(
            f"Groups for everyone ({groups}, from --as or REFDESK_GROUPS) and a sign-in ([auth] in Streamlit's "
            "secrets.toml) exclude each other. Leave one of them out."
        )
    return dict(section)


def address(section: Mapping[str, Any], port: int) -> str:
    """Where the browser must be for the sign-in of `provider` to work, e.g. "https://desk.example.org"."""
    uri = urlsplit(str(section["redirect_uri"]).replace("{port}", str(port)))
    return f"{uri.scheme}://{uri.netloc}"


def caller(people: People, groups: str) -> Caller:
    """Who asks; without a sign-in, somebody in `groups`, separated by commas.

    Raises SettingsError as `provider` and `People.caller` do.
    """
    if not provider(groups):
        return Caller("", people.named(comma_separated(groups)))
    return people.caller(st.user.to_dict() if st.user.get("is_logged_in") is True else None)


def show(asking: Caller) -> None:
    """Where one signs in: who one is, and how to change that."""
    if not provider(""):
        return
    said, button = (
        (f"Signed in as <b>{escape(asking.name)}</b>.", ("Sign out", st.logout))
        if asking.name
        else ("You see what everyone may read. There may be more after you sign in.", ("Sign in", st.login))
    )
    with st.container(key="sign-in", horizontal=True, horizontal_alignment="right", vertical_alignment="center"):
        st.html(f"<p>{said}</p>", width="content")
        st.button(button[0], on_click=button[1])


def show_way_out() -> None:
    """A button to sign out, for somebody who has signed in and can do nothing else."""
    if st.user.get("is_logged_in") is True:
        st.button("Sign out", on_click=st.logout)
