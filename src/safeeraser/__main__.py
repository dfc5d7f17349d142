"""`python -m safeeraser`: the command, for launchers that start a module."""

from safeeraser.cli import main

main()
