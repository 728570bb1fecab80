"""`python -m classify.cli`."""

from classify.cli.app import main

main()
