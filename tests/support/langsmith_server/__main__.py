"""The server in a process of its own: `python -m support.langsmith_server --api-key KEY`."""

from .process import main

main()
