"""From a user's files to a :class:`~darec.data.dataset.Dataset`."""
