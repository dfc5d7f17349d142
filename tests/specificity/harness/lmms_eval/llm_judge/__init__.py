"""Judges of tasks: none here."""
