"""How good an answer is: a module for each family of metrics. They compare texts and numbers, and ask nobody."""
