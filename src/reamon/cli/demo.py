"""`reamon demo`: a calling campaign, recorded. The demo knows its own options."""

from reamon.demo.run import add_arguments
from reamon.demo.run import main as run

__all__ = ["add_arguments", "run"]
