"""`smgw-bench decode`: explains captured octets. `source` reads the file, `sml` and `hdlc` say what is in it."""
