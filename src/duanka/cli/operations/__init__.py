"""Commands for operations: serve, doctor, network, settings, specification."""
