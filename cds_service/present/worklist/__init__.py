"""What the worklist's pages and exports show, as plain values; nothing of HTTP, nothing of the database's ways."""
