"""Collectors: see every span after redaction and before sampling, and derive more from it."""

from reamon.collectors.calculator import CostCalculator
from reamon.collectors.cost import CostCollector
from reamon.collectors.price_book import PriceBook

__all__ = ["CostCalculator", "CostCollector", "PriceBook"]
