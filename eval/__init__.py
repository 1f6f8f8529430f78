"""How good it is: retrieval and answers, measured."""
