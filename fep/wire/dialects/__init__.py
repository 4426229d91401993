"""Dialects: one file each, pure; every one ends in a value of ours."""
