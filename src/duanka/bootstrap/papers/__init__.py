"""What papers for holders need of rules and policy."""
