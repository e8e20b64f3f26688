"""Victims of the gangs of a world, and the honest contacts that are taken for them (docs/WORLDS.md)."""

from duanka.simulator.victims.settlement import Preyed, settle_victims

__all__ = ["Preyed", "settle_victims"]
