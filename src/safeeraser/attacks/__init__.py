"""Attacks that tell whether unlearning lasts. Each is a file here, and a line in this table.

They measure and do not arm: attacked weights stay in memory, and nothing an attack has trained is kept.
"""
