"""The command line: parse, call, print."""

from nbo.cli.app import main

__all__ = ["main"]
