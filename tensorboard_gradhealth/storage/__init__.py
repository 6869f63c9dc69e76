"""The log on disk: one writer, one reader, and the page that both follow, docs/log_format.md."""
