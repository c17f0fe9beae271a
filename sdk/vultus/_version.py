"""The version, once; the build reads it here. Asking the installed package for it would load e-mail and archive parsers at sign-in."""

__version__ = "0.1.0"
