"""From questions whose answers are known to training data, dealt by document.

asked.py      a question, and the places in documents that answer it
squad.py      SQuAD, scifact.py SciFact's claims, beir.py BEIR, questions.py reviewed questions on a library,
              feedback.py what people thought of answers: each gives such questions
passages.py   the places as chunks of a library, and what its search finds besides: hard negatives
deal.py       which documents are trained on
example.py    what is trained on, a line each
card.py       what the data are: sources, licences, readers, counts, hashes
make.py       all of this, from a description in TOML
"""
