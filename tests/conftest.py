"""What must stand in the environment before a test imports a library that reads it once."""

import os

# The command sets it for itself; a test that runs the command in this process comes after the library's import.
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

# Tests write into stores of their own, never into the one of whoever runs them.
os.environ.pop("BRIDGEBENCH_STORE", None)
