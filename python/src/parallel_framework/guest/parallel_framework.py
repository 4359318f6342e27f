"""What a registered function may use of `parallel_framework`. Runs in the component."""


class TryAgain(Exception):
    """Something was in the way for now, and another attempt may succeed."""
