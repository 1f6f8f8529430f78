"""A web site, by its sitemap or its links.

site.py     its pages as items
sitemap.py  what pages a sitemap names
crawl.py    follows links, breadth first
page.py     what a page says of itself
item.py     what its headers tell of changes
address.py  addresses in one spelling
"""

from ingest.connectors.web.site import Site, SiteOptions

__all__ = ["Site", "SiteOptions"]
