"""`python -m randsearch` is the command line."""

from randsearch.cli import main

main()
