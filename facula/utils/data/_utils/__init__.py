"""The machinery behind the loader: collation, fetching, workers, transport."""
