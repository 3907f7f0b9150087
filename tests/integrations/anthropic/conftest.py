"""What is tested with the versions that have it."""

import inspect

import anthropic

collect_ignore = [] if "middleware" in inspect.signature(anthropic.Anthropic).parameters else ["test_middleware.py"]
