"""TWiki and Foswiki topics: what the wiki's engine would act on is taken away, the rest goes to pandoc."""

from __future__ import annotations

import re

from assistant.settings import IngestSettings
from ingest.parse.decode import decode
from ingest.parse.pandoc import to_markdown
from ingest.parse.parsed import Draft

TOPIC = re.compile(r"^%META:TOPIC(?:INFO|PARENT)\{", re.M)


def read_twiki(data: bytes, settings: IngestSettings) -> Draft:
    text = decode(data)
    return Draft("twiki", (to_markdown(text.encode(), "twiki", settings.parse_seconds),))
