"""What can go wrong with images, in words that a person can act on."""


class ImagesError(Exception):
    """Something was attempted and did not work; the message says what to do."""
