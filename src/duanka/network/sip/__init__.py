"""Call proxy: Kamailio with its configuration, its lists and its control socket."""
