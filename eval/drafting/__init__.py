"""Draft questions from a user's own library, for a person to review.

draft.py         what a draft is: question, answers, what it asks, the text that it rests on
tables.py        from tables: "What is the <column> of <row>?", "Which <row> has the largest <column>?"
acronyms.py      from "Long Form (LF)": "What does LF stand for?"
figures.py       from "The detector has 9852 channels.": "How many channels does the detector have?"
cloze.py         a sentence with its number, date or name blanked
unanswerable.py  a question about something that the library does not mention
free.py          a language model asks about a passage, and must answer itself the same again
relevance.py     whether a question can be understood by somebody who has not read the passage
checks.py        whether it can be answered, in one way only, and is no duplicate
make.py          which documents, which drafts, what was dropped and why
review.py        the file that a person edits, and what becomes of it
command.py       `refdesk eval make-questions`
"""
