"""Call proxy: Kamailio, its configuration, lists and control line."""
