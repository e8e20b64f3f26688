"""Wires links: from a store, or from records that become one, to a graph, and from a seed to its ring."""
