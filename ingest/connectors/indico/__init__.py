"""Indico: events with contributions, minutes and attachments.

events.py  lists and fetches them
export.py  what the export interface says
pages.py   an event as items, and who may read them
"""

from ingest.connectors.indico.events import Indico, IndicoOptions

__all__ = ["Indico", "IndicoOptions"]
