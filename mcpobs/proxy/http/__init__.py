"""The HTTP front: a reverse proxy that passes streamable HTTP and HTTP+SSE on as they are, and records them."""
