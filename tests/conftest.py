"""What holds for every test."""

from hypothesis import settings

# How long an example takes tells of the machine.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
