#!/usr/bin/env python
"""Parlant Site's command line: `manage.py serve` starts everything, `manage.py help` lists the rest."""

import os
import sys


def main() -> None:
    """Run the command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
    from parlant_site.command_line import run

    sys.exit(run(sys.argv))


if __name__ == "__main__":
    main()
