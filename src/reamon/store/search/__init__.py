"""Search: the words of payloads, found in any store, by an index that is made when somebody first asks."""

from reamon.store.search.hits import Found, Hit
from reamon.store.search.query import Query
from reamon.store.search.searching import build_index, forget_index, search

__all__ = ["Found", "Hit", "Query", "build_index", "forget_index", "search"]
