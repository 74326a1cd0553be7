"""The command line: facula run | train | info."""
