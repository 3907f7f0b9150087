"""Collectors: see every span after redaction and before sampling, and derive more from it."""

from reamon.collectors.cost import CostCollector

__all__ = ["CostCollector"]
