"""Simulators in the box: they share no code with what they test."""
