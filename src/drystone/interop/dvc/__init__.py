"""DVC repositories, in both directions: `importing` reads one, `exporting` writes one."""
