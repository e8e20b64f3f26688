"""The demonstration network, which tests use too; production never imports it."""
