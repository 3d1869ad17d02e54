"""`python -m drystone` is `drystone`."""

from drystone.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
