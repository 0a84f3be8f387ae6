"""Image difference as a service: the exact mean square error, and a picture of it."""
