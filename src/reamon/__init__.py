"""reamon watches multi-agent LLM workflows from inside the process that runs them."""
