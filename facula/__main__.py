"""Makes `python -m facula` the same as the command `facula`."""

from facula.cli.main import main

if __name__ == "__main__":
    main()
