"""The five headline figures for any period, and what lies behind each."""
