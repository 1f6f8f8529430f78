"""Confluence, a site or an export of one.

site.py      pages, blog posts and attachments over REST
rest.py      what both kinds of REST interface have in common
server.py    what is peculiar to Data Center
cloud.py     what is peculiar to Cloud
export.py    an XML export
entities.py  what its entities.xml says, as a stream
"""

from ingest.connectors.confluence.export import ConfluenceExport, ConfluenceExportOptions
from ingest.connectors.confluence.site import Confluence, ConfluenceOptions

__all__ = ["Confluence", "ConfluenceExport", "ConfluenceExportOptions", "ConfluenceOptions"]
