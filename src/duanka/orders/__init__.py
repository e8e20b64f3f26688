"""Orders (工单): durable, audited tasks that follow a decision about a card."""
