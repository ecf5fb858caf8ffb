"""What can go wrong while packing, in words for the person who packs."""


class PackError(Exception):
    """Packing cannot go on; the text says what was attempted, on what, and what to do."""
