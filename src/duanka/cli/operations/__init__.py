"""Commands of whoever runs an installation: serve, doctor, network, settings, specification."""
