"""Drystone: the whole cycle of data, model and code in any git repository."""
