"""Commands: a file each. Reads options, calls the work below, and prints; decides nothing."""
