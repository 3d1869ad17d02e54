"""Floor 2: what differs between two versions of a table, found by DuckDB without loading them.

`review.py` is the way in. Nothing here is imported before somebody asks for a review of a table.
"""
