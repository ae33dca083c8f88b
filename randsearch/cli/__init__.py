"""The command line."""

from randsearch.cli.app import main

__all__ = ["main"]
