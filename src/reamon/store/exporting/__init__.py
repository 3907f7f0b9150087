"""Exporting: what the store holds as JSON lines, CSV, Parquet, or a frame of pandas or polars."""

from reamon.store.exporting.export import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "export"]
