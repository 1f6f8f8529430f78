"""INSPIRE: records of the literature, and full texts.

literature.py  lists and fetches them
record.py      a record as text
"""

from ingest.connectors.inspire.literature import Inspire, InspireOptions

__all__ = ["Inspire", "InspireOptions"]
