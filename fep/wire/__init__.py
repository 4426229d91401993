"""See the design: one room of the house."""
