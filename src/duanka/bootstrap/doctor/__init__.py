"""`duanka doctor`: examines an installation without changing it, by the checks in `checks.CHECKS`."""
