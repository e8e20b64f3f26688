"""Assessment: figures, comparison, listing."""
