"""Begin and end of a call, the same for every front: session, judgement, row, spool and export."""
