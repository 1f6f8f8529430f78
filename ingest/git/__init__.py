"""A git repository, kept as a bare clone and read from its object store, over connections that were checked."""
