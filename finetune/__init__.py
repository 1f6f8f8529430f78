"""From a library to adapters: training data, four trainings, and what is kept of them."""
