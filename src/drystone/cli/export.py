"""`drystone export`."""
