"""The shipped queries: `queries/*.sql` → Result, and the fence around SQL that a user brings."""
