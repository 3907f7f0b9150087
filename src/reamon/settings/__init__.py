"""Settings: keyword arguments, environment variables `REAMON_*`, `LANGSMITH_*` and `OTEL_*`, a `.env` file."""

from reamon.settings.budgets import BudgetSettings
from reamon.settings.costs import CostSettings
from reamon.settings.langsmith import LangSmithSettings
from reamon.settings.monitoring import MonitoringSettings, split_names
from reamon.settings.otlp import OTLPSettings
from reamon.settings.parts import JSONLSettings, SQLiteSettings
from reamon.settings.postgres import PostgresSettings
from reamon.settings.retention import RetentionSettings
from reamon.settings.template import template
from reamon.settings.variables import unknown_variables, variable_names

__all__ = [
    "BudgetSettings",
    "CostSettings",
    "JSONLSettings",
    "LangSmithSettings",
    "MonitoringSettings",
    "OTLPSettings",
    "PostgresSettings",
    "RetentionSettings",
    "SQLiteSettings",
    "split_names",
    "template",
    "unknown_variables",
    "variable_names",
]
