"""How this floor's tests run: no example of hypothesis fails for being slow."""

from hypothesis import settings

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
