"""The store in PostgreSQL: for many processes, on many machines. Needs the extra `postgres`."""
