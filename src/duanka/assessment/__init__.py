"""Assessment: figures of those who act and of those acted upon, fair comparison, listing for rectification."""
