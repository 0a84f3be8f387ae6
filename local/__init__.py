"""The whole service on one machine: HTTP in front of the real handler, AWS by moto."""
