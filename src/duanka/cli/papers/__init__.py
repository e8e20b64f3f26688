"""Commands on papers for holders, and on events for billing."""
