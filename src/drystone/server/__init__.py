"""Floor 5: the web page. It reads the ledger and renders it, each page also as JSON; it changes nothing."""
