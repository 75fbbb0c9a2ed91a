"""``python -m nbo`` is ``nbo``."""

from nbo.cli import main

main()
