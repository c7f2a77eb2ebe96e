"""To be written."""


def command() -> None:
    """To be written."""
