"""The only way to a server: every connection is checked, every answer has limits, no secret gets out.

client.py      requests, redirects, repeats
connection.py  where a connection may lead
answer.py      what a server sent: is it an answer, whole, and small enough
pace.py        how often a source may be asked
secret.py      its password or token
archive.py     unpacks what a source has packed
"""

from ingest.fetch.answer import HTML, JSON, XML, Response, shown
from ingest.fetch.client import Client

__all__ = ["HTML", "JSON", "XML", "Client", "Response", "shown"]
