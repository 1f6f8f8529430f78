"""How scientific prose and Markdown are read: blocks, sentences, statements, words, numbers with their units."""
