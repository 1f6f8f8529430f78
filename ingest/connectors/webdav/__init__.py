"""WebDAV: CERNBox, Nextcloud, any folder of a web server.

files.py   an item per file
answer.py  what a server says of files and folders
"""

from ingest.connectors.webdav.files import WebDav, WebDavOptions

__all__ = ["WebDav", "WebDavOptions"]
