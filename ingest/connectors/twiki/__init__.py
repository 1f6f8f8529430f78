"""TWiki and Foswiki, over HTTP or from their files.

site.py    the topics of webs over HTTP
folder.py  the files of an installation
access.py  who may view a topic
topic.py   a topic as its file has it
"""

from ingest.connectors.twiki.folder import TwikiFolder, TwikiFolderOptions
from ingest.connectors.twiki.site import Twiki, TwikiOptions

__all__ = ["Twiki", "TwikiFolder", "TwikiFolderOptions", "TwikiOptions"]
