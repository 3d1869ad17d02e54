"""Floor 5: other tools' files and protocols, as those tools read and write them."""
