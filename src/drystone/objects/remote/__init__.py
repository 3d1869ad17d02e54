"""Where objects are shared: a folder or a bucket, with nothing of ours running there."""
