"""MediaWiki, a wiki or a dump of one.

wiki.py  pages and files over the API
api.py   how the API is asked
dump.py  an XML dump
"""

from ingest.connectors.mediawiki.dump import MediaWikiDump, MediaWikiDumpOptions
from ingest.connectors.mediawiki.wiki import MediaWiki, MediaWikiOptions

__all__ = ["MediaWiki", "MediaWikiDump", "MediaWikiDumpOptions", "MediaWikiOptions"]
