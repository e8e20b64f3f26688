"""Adapters that enforce card states in a network, one package per element."""
