"""The message proxy's process: relay, verdict, lists, control socket."""
