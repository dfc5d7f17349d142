"""What is measured of this package's speed, each a command that prints a table."""
