"""Face match and liveness: who judges (embedded, or a vendor), on which workers, against which registered photo."""
