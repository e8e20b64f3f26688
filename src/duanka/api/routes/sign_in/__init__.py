"""Signing in: by a password, by an OpenID Connect provider."""
