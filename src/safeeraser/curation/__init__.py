"""Make a benchmark of one's own: a folder of pictures -> questions, answers, safe partners -> the released layout.

Every stage keeps what it made in a work folder, each item under a hash of all it depends on: a run that was stopped
goes on, and a changed prompt redoes what depends on it and nothing else. docs/building.md says how to use it.
"""
