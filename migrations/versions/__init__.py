"""Schema versions, oldest first by their number."""
