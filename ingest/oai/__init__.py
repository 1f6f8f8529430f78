"""OAI-PMH 2.0, and the records that libraries and repositories hand out over it."""
