"""A user's mistake is one clear line and exit code 2; every other failure is ours and keeps its traceback."""


class UserError(Exception):
    """Something the user can put right. The message says what is wrong, where, and what would be right, in one line."""
