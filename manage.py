#!/usr/bin/env python
"""Run `detectviz …`; `python manage.py …` is the same command line."""

from detectviz.cli import main

if __name__ == "__main__":
    main()
