"""OAI-PMH 2.0, and the records that libraries and repositories hand out over it.

harvest.py      records and their full texts as items
protocol.py     one list over many answers, whole or an error
record.py       a bibliographic record, and its text
marc.py         MARC 21 to a record
dublin_core.py  Dublin Core to a record
"""

from ingest.connectors.oai.harvest import OAI, OAIOptions

__all__ = ["OAI", "OAIOptions"]
