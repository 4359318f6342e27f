"""Why a task gives up: raise one of these, with a sentence that says what was wrong and where."""


class Failure(Exception):
    """A task gave up. Any other exception counts as `Permanent`, and its traceback goes to stderr."""


class InvalidInput(Failure):
    """The data or the parameters are wrong, and would be wrong again. Never retried."""


class Transient(Failure):
    """Something outside was in the way for now. The only failure that is worth another attempt."""


class Permanent(Failure):
    """The task cannot do this, now or later, and the input is not to blame. Never retried."""
