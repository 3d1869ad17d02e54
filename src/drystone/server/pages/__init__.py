"""One module per subject; each function makes one `Page` from what one `Reader` shows."""
