"""What people may see of orders: lists, dossiers, statistics."""
