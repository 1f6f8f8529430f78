"""Writes what the stub Confluence holds as the XML export that Confluence makes: `entities.xml` and `attachments/`."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

_PACKAGES = {"Page": "pages", "BlogPost": "pages", "Attachment": "pages", "Space": "spaces", "BodyContent": "core"}


def write_export(site: Any, path: Path, *, old: tuple[str, ...] = (), permissions: bool = True) -> None:
    """`old` are texts that the first page had before, each a version of its own, as exports keep them; without
    `permissions` it does not say who may do what in spaces."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        head = '<?xml version="1.0" encoding="UTF-8"?>\n<hibernate-generic datetime="2026-11-20 10:00:00">\n'
        archive.writestr("entities.xml", head + "".join(_entities(site, old, permissions)) + "</hibernate-generic>\n")
        archive.writestr("exportDescriptor.properties", "exportType=space\n")
        for page in site.pages.values():
            for file in page.files.values():
                archive.writestr(f"attachments/{page.id}/{file.id}/{file.version}", file.data)


def _entities(site: Any, old: tuple[str, ...], permissions: bool) -> Iterator[str]:
    numbers = iter(range(900_000, 999_999))
    names = {name for page in site.pages.values() for name in [*page.users, page.author, page.editor]}
    for space in site.spaces.values():
        status = "ARCHIVED" if space.archived else "CURRENT"
        yield _object("Space", space.id, key=space.key, name=space.key, spaceStatus=status)
        names |= space.users
        subjects = [{"userSubject": ("ConfluenceUserImpl", f"key-{name}")} for name in sorted(space.users)]
        subjects += [{"group": name} for name in sorted(space.groups)] + ([{}] if space.anonymous else [])
        for subject in [
            *subjects,
            {"type": "EDITSPACE", "group": "authors"},
            {"allUsersSubject": "authenticated-users"},
        ]:
            said = {"type": "VIEWSPACE", "space": ("Space", space.id), "group": "", "allUsersSubject": "", **subject}
            if permissions:
                yield _object("SpacePermission", next(numbers), **said)
    for page in site.pages.values():
        yield from _page(site, page, numbers)
    if old:
        page = next(iter(site.pages.values()))
        for version, text in enumerate(old):
            key = next(numbers)
            original = {"originalVersion": ("Page", page.id), "space": ("Space", site.spaces[page.space].id)}
            yield _object("Page", key, title=page.title, version=version, contentStatus="current", **original)
            yield _object("BodyContent", next(numbers), body=text, content=("Page", key), bodyType=2)
    for name in sorted(names):
        yield _object("ConfluenceUserImpl", f"key-{name}", "key", name=name, lowerName=name, fullName=name.title())


def _page(site: Any, page: Any, numbers: Iterator[int]) -> Iterator[str]:
    kind = {"page": "Page", "blogpost": "BlogPost"}[page.type]
    said: dict[str, Any] = {"space": ("Space", site.spaces[page.space].id), "contentStatus": page.status}
    if page.parent:
        said["parent"] = ("Page", page.parent)
    said["creator"] = ("ConfluenceUserImpl", f"key-{page.author}")
    said["lastModifier"] = ("ConfluenceUserImpl", f"key-{page.editor}")
    times = {"creationDate": _time(page.created), "lastModificationDate": _time(page.modified)}
    yield _object("BodyContent", next(numbers), body=page.body, content=(kind, page.id), bodyType=2)
    yield _object(kind, page.id, title=page.title, version=page.version, **said, **times)
    for name in page.labels:
        label = next(numbers)
        yield _object("Labelling", next(numbers), label=("Label", label), content=(kind, page.id))
        yield _object("Label", label, name=name, namespace="global")
    if page.users or page.groups:
        whole = next(numbers)
        subjects = [{"userSubject": ("ConfluenceUserImpl", f"key-{name}")} for name in sorted(page.users)]
        subjects += [{"groupName": name} for name in sorted(page.groups)]
        for subject in subjects:
            owner = {"owningSet": ("ContentPermissionSet", whole), "type": "View", "groupName": ""}
            yield _object("ContentPermission", next(numbers), **{**owner, **subject})
        yield _object("ContentPermissionSet", whole, type="View", owningContent=(kind, page.id))
    yield _object("ContentPermissionSet", next(numbers), type="Edit", owningContent=(kind, page.id))
    for file in page.files.values():
        where = {"containerContent": (kind, page.id), "contentStatus": "current"}
        time = {"lastModificationDate": _time(file.when)}
        yield _object("Attachment", file.id, title=file.name, version=file.version, **where, **time)


def _object(kind: str, key: object, id_name: str = "id", /, **said: Any) -> str:
    lines = [f'<object class="{kind}" package="com.atlassian.confluence.{_PACKAGES.get(kind, "security")}">']
    lines.append(f'<id name="{id_name}">{key}</id>')
    for name, value in said.items():
        if isinstance(value, tuple):
            lines.append(
                f'<property name="{name}" class="{value[0]}" package="p"><id name="id">{value[1]}</id>\n</property>'
            )
        elif value == "":
            lines.append(f'<property name="{name}"/>')
        elif isinstance(value, str):
            lines.append(f'<property name="{name}"><![CDATA[{value.replace("]]>", "]] >")}]]></property>')
        else:
            lines.append(f'<property name="{name}">{value}</property>')
    return "\n".join([*lines, "</object>\n"])


def _time(when: datetime) -> str:
    return when.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
