"""What several rooms need of the order database: transactions, audit trail, people, alarms."""
