"""What an operation is: JSON-RPC frames to Operations. Sans I/O; one `feed` for every transport."""
