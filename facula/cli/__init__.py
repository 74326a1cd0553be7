"""The command line: facula run | train | new | info."""
