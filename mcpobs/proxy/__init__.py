"""Wire fronts: what stands between a client and a server and passes every byte on as it came."""
