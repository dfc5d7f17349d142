"""The judges by name: one file each, with its settings and what makes it. No torch before one is made."""
