"""A report as one HTML file that loads nothing: no font, no picture, no foreign script. Does no I/O."""
