"""What may be said: evidence for a question, the check of a draft against it, and how sure it is."""
