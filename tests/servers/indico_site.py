"""Runs in Indico's own environment: serves it on loopback, and does what it is told on standard input.

Each line is a JSON list, a function of this module and its arguments; the answer is a line of JSON. No import of ours.
"""

from __future__ import annotations

import json
import sys
import threading
from datetime import datetime, timedelta, timezone
from io import BytesIO
from pathlib import Path

folder, database = Path(sys.argv[1]), sys.argv[2]

import flask_webpackext.ext  # noqa: E402
from indico.core.db import db  # noqa: E402
from indico.core.db.sqlalchemy.protection import ProtectionMode  # noqa: E402
from indico.core.db.sqlalchemy.util.management import create_all_tables  # noqa: E402
from indico.web.flask.app import configure_db, make_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

PORT = int(sys.argv[3])
app = make_app(
    testing=True,
    config_override={
        "BASE_URL": f"http://127.0.0.1:{PORT}",
        "SMTP_SERVER": ("localhost", 0),
        "SMTP_USE_CELERY": False,
        "TEMP_DIR": str(folder / "temp"),
        "CACHE_DIR": str(folder / "cache"),
        "LOG_DIR": str(folder / "log"),
        "STORAGE_BACKENDS": {"default": f"fs:{folder / 'archive'}"},
        "SECRET_KEY": "0" * 32,
        "SQLALCHEMY_DATABASE_URI": database,
    },
)
app.config["SQLALCHEMY_DATABASE_URI"] = database
configure_db(app)


def prepare() -> dict:
    from indico.modules.users import User

    create_all_tables(db)
    admin = user("admin", "admin@example.org", True)
    assert User.get(admin["id"]).is_admin
    return admin


def user(name: str, email: str, admin: bool = False) -> dict:
    from indico.core.oauth.models.personal_tokens import PersonalToken
    from indico.modules.users import User

    made = User(first_name=name.title(), last_name="Example", is_admin=admin, is_pending=False)
    made.email = email
    db.session.add(made)
    db.session.flush()
    token = PersonalToken(user=made, name="refdesk", scopes=["read:legacy_api", "read:everything"])
    secret = token.generate_token()
    db.session.add(token)
    db.session.flush()
    return {"id": made.id, "token": secret}


def revoke(user_id: int) -> None:
    from indico.modules.users import User

    for token in User.get(user_id).personal_tokens:
        token.revoke()


def category(title: str, parent: int = 0, mode: str = "inheriting") -> int:
    from indico.modules.categories import Category

    made = Category(title=title, parent=Category.get(parent), timezone="UTC", protection_mode=ProtectionMode[mode])
    db.session.add(made)
    db.session.flush()
    return made.id


def event(category_id: int, title: str, description: str, creator: int, start: str = "2026-05-01T09:00") -> int:
    from indico.modules.categories import Category
    from indico.modules.events import Event
    from indico.modules.events.contributions import contribution_settings
    from indico.modules.events.models.events import EventType
    from indico.modules.users import User

    begins = datetime.fromisoformat(start).replace(tzinfo=timezone.utc)  # noqa: UP017
    made = Event(
        title=title,
        description=description,
        category=Category.get(category_id),
        type_=EventType.meeting,
        creator=User.get(creator),
        start_dt=begins,
        end_dt=begins + timedelta(hours=2),
        timezone="UTC",
    )
    db.session.flush()
    contribution_settings.set(made, "published", True)
    return made.id


def events(category_id: int, count: int, creator: int) -> None:
    for number in range(count):
        event(category_id, f"Event {number}", "<p>x</p>", creator)


def contribution(event_id: int, title: str, description: str, scheduled: bool = True) -> int:
    from indico.modules.events import Event
    from indico.modules.events.contributions.models.contributions import Contribution
    from indico.modules.events.timetable.models.entries import TimetableEntry

    event = Event.get(event_id)
    made = Contribution(event=event, title=title, description=description, duration=timedelta(minutes=20))
    db.session.add(made)
    db.session.flush()
    if scheduled:
        made.timetable_entry = TimetableEntry(event=event, start_dt=event.start_dt)
        db.session.flush()
    return made.id


def publish(event_id: int, published: bool) -> None:
    from indico.modules.events import Event
    from indico.modules.events.contributions import contribution_settings

    contribution_settings.set(Event.get(event_id), "published", published)


def _object(kind: str, key: int):
    from indico.modules.attachments.models.attachments import Attachment
    from indico.modules.categories import Category
    from indico.modules.events import Event
    from indico.modules.events.contributions.models.contributions import Contribution

    return {"category": Category, "event": Event, "contribution": Contribution, "attachment": Attachment}[kind].get(key)


def change(kind: str, key: int, values: dict) -> None:
    for name, value in values.items():
        setattr(_object(kind, key), name, value)


def protect(kind: str, key: int, mode: str, users: list, groups: list) -> None:
    """Who may read, anew; groups are local ones, as there is no other provider."""
    from indico.modules.groups import GroupProxy
    from indico.modules.groups.models.groups import LocalGroup
    from indico.modules.users import User

    target = _object(kind, key)
    target.protection_mode = ProtectionMode[mode]
    for entry in list(target.acl_entries):
        target.acl_entries.remove(entry)
    db.session.flush()
    principals = [User.get(one) for one in users]
    for name in groups:
        found = LocalGroup.query.filter_by(name=name).first() or LocalGroup(name=name)
        db.session.add(found)
        db.session.flush()
        principals.append(GroupProxy(found.id))
    for principal in principals:
        target.update_principal(principal, **({"read_access": True}))


def join(user_id: int, group: str) -> None:
    from indico.modules.groups.models.groups import LocalGroup
    from indico.modules.users import User

    found = LocalGroup.query.filter_by(name=group).first() or LocalGroup(name=group)
    found.members.add(User.get(user_id))
    db.session.add(found)


def minutes(kind: str, key: int, html: str, author: int) -> None:
    from indico.modules.events.notes.models.notes import EventNote, RenderMode
    from indico.modules.users import User

    who = User.get(author)
    with db.session.no_autoflush:
        note = EventNote.get_or_create(_object(kind, key))
        note.create_revision(RenderMode.html, html, who)
    db.session.flush()


def attach(kind: str, key: int, name: str, text: str, author: int) -> int:
    from indico.modules.attachments.models.attachments import Attachment, AttachmentFile, AttachmentType
    from indico.modules.attachments.models.folders import AttachmentFolder
    from indico.modules.users import User

    who = User.get(author)
    folder = AttachmentFolder.get_or_create_default(linked_object=_object(kind, key))
    made = Attachment(folder=folder, user=who, title=name, type=AttachmentType.file)
    made.file = AttachmentFile(user=who, filename=name, content_type="text/plain")
    db.session.add(made)
    made.file.save(BytesIO(text.encode()))
    db.session.flush()
    return made.id


def replace(key: int, text: str, author: int) -> None:
    """Another version of an attachment's file."""
    from indico.modules.attachments.models.attachments import AttachmentFile
    from indico.modules.users import User

    attachment, who = _object("attachment", key), User.get(author)
    attachment.file = AttachmentFile(user=who, filename=attachment.file.filename, content_type="text/plain")
    attachment.file.save(BytesIO(text.encode()))
    db.session.flush()


def delete(kind: str, key: int) -> None:
    _object(kind, key).is_deleted = True


def main() -> None:
    flask_webpackext.ext._FlaskWebpackExtState.manifest = None
    server = make_server("127.0.0.1", PORT, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        with app.app_context():
            try:
                answer = {"ok": globals()[name](*arguments)}
                db.session.commit()
            except Exception as error:  # noqa: BLE001  told to the test
                db.session.rollback()
                answer = {"error": f"{type(error).__name__}: {error}"}
            finally:
                db.session.remove()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    server.shutdown()


if __name__ == "__main__":
    main()
